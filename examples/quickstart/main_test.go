package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestTheOrderIsHandled(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	var seen monitoringtest.Recorder
	app := fxtest.New(t, app(), inQueue(amqptest.Queue(t, "quickstart")), monitoring.Provide(func() monitoring.Monitor { return &seen }), fx.NopLogger)
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

// inQueue lets the app use this queue wherever it says "orders": the test's broker may be
// somebody's, who has orders in it.
func inQueue(queue string) fx.Option {
	const specs = `group:"bunnicula.specs"`
	return fx.Options(
		fx.Decorate(fx.Annotate(func(all []consumer.Spec) []consumer.Spec {
			for i := range all {
				all[i].Queue = queue
			}
			return all
		}, fx.ParamTags(specs), fx.ResultTags(specs))),
		fx.Decorate(func(pub publisher.Publisher) publisher.Publisher { return renamed{pub, queue} }),
	)
}

type renamed struct {
	publisher.Publisher
	queue string
}

func (r renamed) Publish(ctx context.Context, key string, payload any, opts ...publisher.Option) error {
	if key == "orders" {
		key = r.queue
	}
	return r.Publisher.Publish(ctx, key, payload, opts...)
}

// The whole app without a broker. An order without an email is parked, and nothing else is left.
func TestTheWholeAppInMemory(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		var pub publisher.Publisher
		app := fxtest.New(t, app(), fx.Populate(&pub), fx.NopLogger, b.Option())
		app.RequireStart()
		defer app.RequireStop()

		if err := pub.Publish(t.Context(), "orders", Order{Number: 2}); err != nil {
			t.Fatal(err)
		}
		b.Settle(time.Hour)
		b.Want("orders", brokertest.Status{Parked: 1})
		if m := b.Parked("orders")[0]; m.Reason != "error" || m.Error != "order has no email" {
			t.Errorf("parked: %s: %s", m.Reason, m.Error)
		}
		if err := pub.Publish(t.Context(), "order", Order{}); !errors.Is(err, publisher.ErrUnroutable) {
			t.Errorf("a mistyped queue: %v", err)
		}
	})
}
