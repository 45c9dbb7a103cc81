package brokertest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/health"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

type order struct{ Number int }

// orders is an app with a consumer.
func orders(h func(context.Context, consumer.Message[order]) consumer.Result, more ...fx.Option) fx.Option {
	return fx.Options(append(more,
		publisher.Module, consumer.Module, fx.NopLogger,
		consumer.Provide(func() consumer.Spec {
			return consumer.Spec{Queue: "orders", Backoff: []time.Duration{time.Minute}, Handler: consumer.JSON(h)}
		}),
		monitoring.Provide(func() monitoring.Monitor { return new(monitoringtest.Recorder) }),
	)...)
}

func acked(context.Context, consumer.Message[order]) consumer.Result { return consumer.Ack() }

func TestAnAppNeedsNoConfigAndAWrongOneDoesNotMatter(t *testing.T) {
	for name, config := range map[string]fx.Option{
		"none":     fx.Options(),
		"an error": fx.Provide(func() (connection.Config, error) { return connection.Config{}, errors.New("no AMQP_URL here") }),
		"wrong":    fx.Supply(connection.Config{URL: "http://nowhere", MinBackoff: -1}),
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
				var pub publisher.Publisher
				app := fxtest.New(t, connection.Module, config, orders(acked), fx.Populate(&pub), b.Option())
				app.RequireStart()
				if err := pub.Publish(t.Context(), "orders", order{1}); err != nil {
					t.Fatal(err)
				}
				if err := pub.Publish(t.Context(), "ordes", order{1}); !errors.Is(err, publisher.ErrUnroutable) {
					t.Errorf("a mistyped key: %v", err)
				}
				b.Settle(time.Second)
				b.Want("orders", brokertest.Status{})
				app.RequireStop()
				if n := b.Consumers("orders"); n != 0 {
					t.Errorf("%d consumers after the stop", n)
				}
			})
		})
	}
}

func TestABindingThatNoBrokerTakesIsNotTriedAgain(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		app := fx.New(connection.Module, orders(acked), b.Option(), consumer.Provide(func() consumer.Spec {
			return consumer.Spec{Queue: "files", Handler: consumer.JSON(acked), Bindings: []topology.Bind{
				{Exchange: "amq.headers", Arguments: map[string]any{"x-match": "some"}},
			}}
		}))
		if err := app.Start(t.Context()); !errors.Is(err, topology.ErrInvalid) || !strings.Contains(err.Error(), "x-match") {
			t.Errorf("start: %v", err)
		}
		if err := app.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestNamedConnectionsHealthAndMetricsAreTheBrokersToo(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		var probes *health.Health
		var own *connection.Connection
		var named struct {
			fx.In
			Billing *connection.Connection `name:"billing"`
		}
		app := fxtest.New(t,
			connection.Module, connection.Named("billing", connection.Config{URL: "nonsense"}), orders(acked),
			consumer.Provide(func() consumer.Spec {
				return consumer.Spec{Queue: "bills", Connection: "billing", Handler: consumer.JSON(acked)}
			}),
			health.Module, fx.Supply(health.Config{}), prometheus.Module,
			fx.Populate(&probes, &own), fx.Populate(&named), b.Option(),
		)
		app.RequireStart()
		defer app.RequireStop()
		for _, conn := range []*connection.Connection{own, named.Billing} {
			if h := conn.Health(); !h.Consuming.Connected || h.Consuming.Addr != "simulated:5672" {
				t.Errorf("%s: %+v", conn.Name(), h.Consuming)
			}
		}
		if b.Consumers("orders") != 1 || b.Consumers("bills") != 1 {
			t.Error("a consumer is missing")
		}
		if err := b.Publisher().Publish(t.Context(), "bills", order{1}); err != nil {
			t.Error(err)
		}
		b.Settle(time.Second, "bills")
	})
}
