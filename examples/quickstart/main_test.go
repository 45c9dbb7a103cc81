package main

import (
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestTheOrderIsHandled(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	queue = amqptest.Queue(t, "quickstart")
	var seen monitoringtest.Recorder
	app := fxtest.New(t, app(), monitoring.Provide(func() monitoring.Monitor { return &seen }), fx.NopLogger)
	app.RequireStart()
	defer app.RequireStop()
	if err := seen.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	end := seen.Ends()[0]
	if end.Outcome.Action != monitoring.Acked || string(end.Delivery.Body) != `{"Number":1,"Email":"someone@example.com"}` {
		t.Errorf("%s: %s", end.Delivery.Body, end.Outcome.Action)
	}
}
