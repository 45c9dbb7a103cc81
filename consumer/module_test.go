package consumer_test

import (
	"bytes"
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
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
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
		"several Specs and something else": {
			func() ([]consumer.Spec, string) { return nil, "" }, []string{"argument 2", "([]consumer.Spec, string)"},
		},
		"pointers to Specs": {func() []*consumer.Spec { return nil }, []string{"argument 2", "[]*consumer.Spec"}},
		"nothing but an error": {
			func() error { return nil }, []string{"argument 2", "func() error"},
		},
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

func TestAConstructorMayReturnSeveralSpecs(t *testing.T) {
	specs := func(queues ...string) (all []consumer.Spec) {
		for _, q := range queues {
			all = append(all, consumer.Spec{Queue: q, Handler: ack})
		}
		return all
	}
	var g *consumer.Group
	a := app(
		consumer.Provide(
			orders,
			func() []consumer.Spec { return specs("emails", "audit") },
			func(*slog.Logger) ([]consumer.Spec, error) { return specs("billing"), nil },
			func() []consumer.Spec { return nil },
		),
		fx.Populate(&g),
	)
	if err := a.Err(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range g.Consumers() {
		names = append(names, c.Name())
	}
	if strings.Join(names, " ") != "audit billing emails orders" {
		t.Errorf("consumers %v", names)
	}

	broken := errors.New("no settings")
	if err := app(consumer.Provide(func() ([]consumer.Spec, error) { return nil, broken })).Err(); !errors.Is(err, broken) {
		t.Errorf("the constructor's error is %v, want %v", err, broken)
	}
	wantError(t, app(consumer.Provide(func() []consumer.Spec { return specs("emails", "emails") })).Err(), `queue "emails"`, "both consume")
}

func TestEverythingWrongInAnAppsSpecsIsReportedTogether(t *testing.T) {
	err := app(consumer.Provide(func() []consumer.Spec {
		return []consumer.Spec{
			{Queue: "a", Concurrency: -1, Timeout: -5, MaxRetries: -9, Backoff: []time.Duration{0, time.Second, -1}},
			{Queue: "b", Handler: ack},
			{Queue: "c", Handler: ack, Arguments: map[string]any{"x-expires": 1}, Grace: -2, ErrorQueue: "c"},
			{Queue: "d", Handler: ack, Connection: "billing", WhenStuck: 7, Priority: 1000},
			{Queue: "b", Handler: ack, Name: "again"},
		}
	})).Err()
	wantError(t, err,
		`consumer "a": Handler is nil`+"\n", `consumer "a": MaxRetries is -9`, `consumer "a": Backoff[0] is 0s`, `consumer "a": Backoff[2] is -1ns`,
		`consumer "a": Timeout is -5ns`, `consumer "a": Concurrency is -1`,
		`consumer "c": Grace is -2ns`, `consumer "c": topology: queue "c": Arguments`, `consumer "c": topology: queue "c": ErrorQueue`,
		`consumer "d": Connection is "billing"`, `consumer "d": WhenStuck is 7`, `consumer "d": Priority is 1000`,
		`consumers "b" and "again" both consume queue "b"`,
	)
}

func TestAnAppWithoutAConnectionIsToldSoOnce(t *testing.T) {
	err := fx.New(fx.NopLogger, consumer.Module, consumer.Provide(func() []consumer.Spec {
		return []consumer.Spec{{Queue: "a", Handler: ack}, {Queue: "b", Handler: ack}}
	})).Err()
	wantError(t, err, "connection.Module")
	if n := strings.Count(err.Error(), "connection.Module"); n != 1 {
		t.Errorf("it is told %d times: %v", n, err)
	}
}

type wholeApp struct {
	fx.In

	More struct {
		fx.In

		Publisher publisher.Publisher
	}
	Optional *publisher.Client `optional:"true"`
}

// What a constructor asks for and no module makes is found before fx looks for it.
func TestAConstructorWithoutItsModuleIsToldWhatToAdd(t *testing.T) {
	spec := orders()
	named := func(pub publisher.Publisher) consumer.Spec { return spec }
	for name, row := range map[string]struct {
		option fx.Option
		want   []string
	}{
		"a Publisher": {
			consumer.Provide(named), []string{"asks for a publisher.Publisher", "add publisher.Module", "consumer_test."},
		},
		"a Publisher, for several Specs": {
			consumer.Provide(func(publisher.Publisher) ([]consumer.Spec, error) { return nil, nil }), []string{"add publisher.Module"},
		},
		"a Client": {
			consumer.Provide(func(*publisher.Client) consumer.Spec { return spec }), []string{"asks for a *publisher.Client", "add publisher.Module"},
		},
		"a Publisher in a struct in a struct": {
			consumer.Provide(func(wholeApp) consumer.Spec { return spec }), []string{"add publisher.Module"},
		},
		"a named Publisher": {
			consumer.Provide(func(p struct {
				fx.In

				Billing publisher.Publisher `name:"billing"`
			}) consumer.Spec {
				return spec
			}), []string{`asks for a publisher.Publisher of the name "billing"`, "add publisher.Named"},
		},
		"a named Connection": {
			consumer.Provide(func(p struct {
				fx.In

				Billing *connection.Connection `name:"billing"`
			}) consumer.Spec {
				return spec
			}), []string{`the name "billing"`, "add connection.Named"},
		},
		"a Publisher of the app's own, whose constructor lacks something": {
			fx.Options(fx.Provide(func(notASpec) publisher.Publisher { return nil }), consumer.Provide(named)), []string{"add publisher.Module", "or what a constructor of yours lacks"},
		},
		"a named Publisher without the connection": {
			fx.Options(publisher.Named("billing", publisher.Config{}), consumer.Provide(func(p struct {
				fx.In

				Billing publisher.Publisher `name:"billing"`
			}) consumer.Spec {
				return spec
			})), []string{`no connection of the name "billing"`, "add connection.Named"},
		},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, app(row.option).Err(), row.want...) })
	}
	a := fx.New(fx.NopLogger, consumer.Module, publisher.Module, consumer.Provide(named))
	wantError(t, a.Err(), "publisher: there is no connection", "connection.Module", "connection.Config")
	a = fx.New(fx.NopLogger, consumer.Module, consumer.Provide(func(*connection.Connection) consumer.Spec { return spec }))
	wantError(t, a.Err(), "asks for a *connection.Connection", "connection.Module", "connection.Config")

	var recorder publishertest.Recorder
	for name, option := range map[string]fx.Option{
		"with the module":     publisher.Module,
		"with a fake of ours": fx.Provide(func() publisher.Publisher { return &recorder }),
	} {
		if err := app(option, consumer.Provide(named)).Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// fx asks for nothing that no constructor asks for: an app that never publishes does not connect
// for it.
func TestAPublisherThatNobodyAsksForIsNotMade(t *testing.T) {
	made := false
	err := app(fx.Provide(func() publisher.Publisher { made = true; return nil }), consumer.Provide(orders)).Err()
	if err != nil || made {
		t.Errorf("made %t, %v", made, err)
	}
}

// The app's own fx.Invoke is beyond what Provide sees, so fx says what is missing, and the log what
// to add.
func TestAnInvokeWithoutItsModuleIsToldInTheLogWhatToAdd(t *testing.T) {
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	for want, option := range map[string]fx.Option{
		"value=publisher.Publisher add=publisher.Module": fx.Options(connection.Module, fx.Supply(connection.Config{}),
			fx.Invoke(func(publisher.Publisher) {})),
		"value=*publisher.Client add=publisher.Module": fx.Options(connection.Module, fx.Supply(connection.Config{}),
			fx.Invoke(func(*publisher.Client, fx.Lifecycle) {})),
		"value=*connection.Connection add=connection.Module":               fx.Invoke(func(*connection.Connection) {}),
		"value=connection.Config add=fx.Supply(connection.Config{...})":    fx.Options(connection.Module, fx.Invoke(func(*connection.Connection) {})),
		"value=*connection.Connection add=connection.Module ... add=publi": fx.Invoke(func(*connection.Connection, publisher.Publisher, notASpec) {}),
		"": fx.Invoke(func(notASpec) {}),
	} {
		var log bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		if fx.New(fx.NopLogger, consumer.Module, option).Err() == nil {
			t.Error("it was accepted")
		}
		for part := range strings.SplitSeq(want, " ... ") {
			if !strings.Contains(strings.ReplaceAll(log.String(), `"`, ""), part) || (want == "") != (log.Len() == 0) {
				t.Errorf("logged %q, want %q", log.String(), part)
			}
		}
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

func TestPlansOfAnAppNeedNoBrokerAndNoStart(t *testing.T) {
	started := false
	plans, err := consumer.Plans(
		connection.Module, publisher.Module, consumer.Module, fx.Supply(connection.Config{URL: "amqp://127.0.0.1:1"}),
		consumer.Provide(
			func(publisher.Publisher) []consumer.Spec {
				return []consumer.Spec{{Queue: "orders", Handler: ack, Delays: []time.Duration{time.Hour}}, {Queue: "emails", Handler: ack}}
			},
		),
		fx.Invoke(func(lc fx.Lifecycle) { lc.Append(fx.StartHook(func() { started = true })) }),
	)
	if err != nil || started {
		t.Fatalf("started %t, %v", started, err)
	}
	var queues []string
	for _, p := range plans {
		queues = append(queues, p.Queue)
	}
	if strings.Join(queues, " ") != "emails orders" || len(plans[1].Delays) != 2 {
		t.Errorf("the plans are %+v", plans)
	}

	_, err = consumer.Plans(connection.Module, fx.Supply(connection.Config{}), consumer.Provide(orders))
	wantError(t, err, "add consumer.Module")
	_, err = consumer.Plans(consumer.Module, consumer.Provide(orders))
	wantError(t, err, "connection.Module")
}
