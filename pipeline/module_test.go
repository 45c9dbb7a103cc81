package pipeline_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestAnAppRunsAJobAndIsToldOfItsEnd(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		told := make(chan pipeline.Progress, 10)
		var texts *pipeline.Pipeline
		app := fxtest.New(t, b.Option(), publisher.Module, consumer.Module, pipeline.Module,
			fx.Provide(func() pipeline.Config {
				return pipeline.Config{Name: "texts", Completed: func(_ context.Context, p pipeline.Progress) error { told <- p; return nil }}
			}),
			consumer.Provide(Lines, Words), fx.Supply(quiet()), fx.Populate(&texts))
		app.RequireStart()
		job, err := pipeline.Start(t.Context(), texts, "texts", func(yield func(string) bool) { _ = yield("one two\nthree\n") && yield("four\n") })
		if err != nil {
			t.Fatal(err)
		}
		if p := <-told; p.Job != job || short(p) != "texts 2/2, lines 3/3, complete" {
			t.Errorf("told: %+v", p)
		}
		time.Sleep(time.Minute)
		app.RequireStop()
		if len(told) != 0 {
			t.Errorf("told again: %+v", <-told)
		}
	})
}

func TestAnAppWithoutWhatAPipelineNeedsIsToldWhatToAdd(t *testing.T) {
	app := fx.New(fx.NopLogger, pipeline.Module, fx.Supply(pipeline.Config{Name: "texts"}))
	if err := app.Err(); err == nil {
		t.Error("no error")
	}
}
