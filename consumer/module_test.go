package consumer_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

func ack(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }

func orders() consumer.Spec {
	return consumer.Spec{Queue: "orders", Handler: ack}
}

// app is one that never starts.
func app(options ...fx.Option) *fx.App {
	return fx.New(append([]fx.Option{
		fx.NopLogger, connection.Module, consumer.Module,
		fx.Supply(connection.Config{Name: "shop"}, slog.New(slog.DiscardHandler)),
	}, options...)...)
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
}

type notASpec struct{}

func TestProvideRefusesWhatMakesNoSpecAndSaysWhich(t *testing.T) {
	for name, row := range map[string]struct {
		constructor any
		want        []string
	}{
		"nil":                  {nil, []string{"argument 2", "<nil>"}},
		"a Spec":               {consumer.Spec{Queue: "emails"}, []string{"argument 2", "Spec", `"emails"`, "function"}},
		"a pointer to a Spec":  {&consumer.Spec{Queue: "emails"}, []string{"argument 2", "*consumer.Spec", "function"}},
		"a text":               {"emails", []string{"argument 2", "string"}},
		"a function of no use": {func() {}, []string{"argument 2", "func()"}},
		"another type":         {func() notASpec { return notASpec{} }, []string{"argument 2", "consumer_test.notASpec"}},
		"a function that returns a pointer": {
			func() *consumer.Spec { return nil }, []string{"argument 2", "*consumer.Spec"},
		},
		"a Spec and something else": {
			func() (consumer.Spec, string) { return orders(), "" }, []string{"argument 2", "(consumer.Spec, string)"},
		},
		"an error before the Spec": {
			func() (error, consumer.Spec) { return nil, orders() }, []string{"argument 2", "(error, consumer.Spec)"}, //nolint:staticcheck // that is the test
		},
		"several Specs":          {func() []consumer.Spec { return nil }, []string{"argument 2", "[]consumer.Spec"}},
		"a function that is nil": {(func() consumer.Spec)(nil), []string{"argument 2", "nil"}},
		"a handler":              {consumer.Handler(ack), []string{"argument 2", "consumer.Handler"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, app(consumer.Provide(orders, row.constructor)).Err(), append(row.want, "consumer.Provide")...)
		})
	}
}

func TestAnAppHasOneGroupOfAllItsConsumers(t *testing.T) {
	var g *consumer.Group
	monitored := false
	a := app(
		consumer.Provide(orders),
		consumer.Provide(
			func(log *slog.Logger) (consumer.Spec, error) {
				if log == nil {
					return consumer.Spec{}, errors.New("no logger")
				}
				return consumer.Spec{Queue: "emails", Handler: ack}, nil
			},
			func() consumer.Spec { return consumer.Spec{Queue: "audit", Handler: ack} },
		),
		monitoring.Provide(func() monitoring.Callbacks { monitored = true; return monitoring.Callbacks{} }),
		fx.Populate(&g),
	)
	if err := a.Err(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range g.Consumers() {
		names = append(names, c.Name())
	}
	if strings.Join(names, " ") != "audit emails orders" || !monitored {
		t.Errorf("consumers %v, monitored %t", names, monitored)
	}
}

func TestAnAppWithoutTheModuleIsRefused(t *testing.T) {
	err := fx.New(fx.NopLogger, connection.Module, fx.Supply(connection.Config{}), consumer.Provide(func() consumer.Spec { return orders() })).Err()
	wantError(t, err, "consumer.Provide", "add consumer.Module")
}

func TestAnAppWithoutConsumersIsFine(t *testing.T) {
	if err := app().Err(); err != nil {
		t.Error(err)
	}
	if err := fx.New(fx.NopLogger, consumer.Module).Err(); err != nil {
		t.Errorf("without a connection either: %v", err)
	}
}

func TestAnAppIsRefusedWithTheConsumerAndTheReason(t *testing.T) {
	provide := func(specs ...consumer.Spec) fx.Option {
		var all []fx.Option
		for _, s := range specs {
			all = append(all, consumer.Provide(func() consumer.Spec { return s }))
		}
		return fx.Options(all...)
	}
	billing := connection.Named("billing", connection.Config{})
	for name, row := range map[string]struct {
		option fx.Option
		want   []string
	}{
		"a bad Spec": {
			provide(consumer.Spec{Queue: "orders"}), []string{`consumer "orders"`, "Handler is nil"},
		},
		"a constructor that fails": {
			consumer.Provide(func() (consumer.Spec, error) { return consumer.Spec{}, errors.New("no settings") }), []string{"no settings"},
		},
		"a constructor that asks for what is not there": {
			consumer.Provide(func(notASpec) consumer.Spec { return orders() }), []string{"consumer_test.notASpec"},
		},
		"a connection that nobody named": {
			fx.Options(billing, provide(consumer.Spec{Queue: "orders", Handler: ack, Connection: "biling"})),
			[]string{`consumer "orders"`, `"biling"`, "connection.Named", `"billing"`},
		},
		"two consumers of one queue": {
			provide(orders(), consumer.Spec{Queue: "orders", Name: "again", Handler: ack}), []string{`queue "orders"`, "both consume"},
		},
		"two consumers of one name": {
			provide(orders(), consumer.Spec{Queue: "emails", Name: "orders", Handler: ack}), []string{`consumer "orders"`, "two of this name"},
		},
		"a queue that is another's error queue": {
			provide(orders(), consumer.Spec{Queue: "orders-error", Handler: ack}), []string{`"orders-error"`, "error queue"},
		},
		"a queue that is another's retry queue": {
			provide(orders(), consumer.Spec{Queue: "orders-retry-1m", Handler: ack}), []string{`"orders-retry-1m"`, "retry queue"},
		},
		"a bad connection": {
			fx.Options(fx.Replace(connection.Config{URL: "http://shop"}), provide(orders())), []string{"connection", "http"},
		},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, app(row.option).Err(), row.want...) })
	}
}

func TestAnAppWithoutAConnectionIsToldWhatToAdd(t *testing.T) {
	a := fx.New(fx.NopLogger, consumer.Module, consumer.Provide(orders))
	wantError(t, a.Err(), `consumer "orders"`, "connection.Module", "connection.Config")
}

func TestConsumersOfTwoConnectionsMayHaveQueuesOfOneName(t *testing.T) {
	var g *consumer.Group
	a := app(
		connection.Named("billing", connection.Config{Name: "billing"}),
		consumer.Provide(orders, func() consumer.Spec { s := orders(); s.Connection = "billing"; return s }),
		fx.Populate(&g),
	)
	if err := a.Err(); err != nil {
		t.Fatal(err)
	}
	if len(g.Consumers()) != 2 {
		t.Errorf("%d consumers", len(g.Consumers()))
	}
}

func TestAnAppCanBeValidatedWithoutABroker(t *testing.T) {
	if err := fx.ValidateApp(fx.NopLogger, connection.Module, consumer.Module, fx.Supply(connection.Config{}), consumer.Provide(orders)); err != nil {
		t.Error(err)
	}
}

func TestAnAppWhoseBrokerIsNotThereFailsToStartAndLeavesNothing(t *testing.T) {
	a := app(
		fx.Replace(connection.Config{URL: "amqp://127.0.0.1:1", Name: "shop"}),
		consumer.Provide(orders),
	)
	if err := a.Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := a.Start(ctx)
	wantError(t, err, `consumer "orders": start`, "127.0.0.1:1")
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("the error is %v, and the context's %v", err, ctx.Err())
	}
}
