package monitoring_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestProvideTakesEveryConstructorOfAMonitor(t *testing.T) {
	type name string
	var rec monitoringtest.Recorder
	for shape, constructor := range map[string]any{
		"interface":           func() monitoring.Monitor { return &rec },
		"interface and error": func() (monitoring.Monitor, error) { return &rec, nil },
		"pointer":             func() *monitoringtest.Recorder { return &rec },
		"pointer and error":   func() (*monitoringtest.Recorder, error) { return &rec, nil },
		"struct": func() monitoring.Callbacks {
			return monitoring.Callbacks{OnSuccess: rec.End}
		},
		"with parameters": func(n name, _ fx.Lifecycle) (monitoring.Monitor, error) {
			if n != "shop" {
				return nil, errors.New("not what the app supplied")
			}
			return &rec, nil
		},
		"with fx.In": func(p struct {
			fx.In
			Name name
		}) monitoring.Monitor {
			return &rec
		},
	} {
		t.Run(shape, func(t *testing.T) {
			rec.Reset()
			app := fxtest.New(t, fx.Supply(name("shop")), monitoring.Provide(constructor), fx.Invoke(deliver(t.Context())))
			app.RequireStart().RequireStop()
			if n := len(rec.Ends()); n != 1 {
				t.Errorf("it was told of %d deliveries; want 1", n)
			}
		})
	}
}

func TestEveryProvidedMonitorIsTold(t *testing.T) {
	var a, b, c monitoringtest.Recorder
	fxtest.New(t,
		monitoring.Provide(func() *monitoringtest.Recorder { return &a }),
		monitoring.Provide(func() *monitoringtest.Recorder { return &b }),
		fx.Module("mine", monitoring.Provide(func() *monitoringtest.Recorder { return &c })),
		monitoring.Provide(func() monitoring.Monitor { return nil }), // adds none
		fx.Invoke(deliver(t.Context())),
	).RequireStart().RequireStop()
	for i, rec := range []*monitoringtest.Recorder{&a, &b, &c} {
		if ends := rec.Ends(); len(ends) != 1 || !ends[0].Begun {
			t.Errorf("monitor %d was told %v; want one delivery", i, ends)
		}
	}
}

func TestProvideRefusesOtherThings(t *testing.T) {
	for want, constructor := range map[string]any{
		"monitoring: Provide(nil): want a function":                                                                 nil,
		"monitoring: Provide(int): want a function that returns a monitoring.Monitor, or one and an error":          7,
		"monitoring: Provide(monitoring.Log): that is a Monitor; want a function that returns it":                   monitoring.Log{},
		"monitoring: Provide(func()): returns 0 values; want":                                                       func() {},
		"monitoring: Provide(func() string): string does not implement monitoring.Monitor":                          func() string { return "" },
		"monitoring: Provide(func() (monitoring.Log, int)): the second result is int; want error":                   func() (l monitoring.Log, n int) { return },
		"monitoring: Provide(func() (monitoring.Log, monitoring.Log, error)): returns 3 values":                     func() (a, b monitoring.Log, err error) { return },
		"monitoring_test.onlyByPointer does not implement monitoring.Monitor (*monitoring_test.onlyByPointer does)": func() (r onlyByPointer) { return },
		"monitoring: Provide(func() error): error does not implement monitoring.Monitor":                            func() error { return nil },
		"monitoring: Provide(func() []monitoring.Monitor): []monitoring.Monitor does not implement monitoring.Mon":  func() []monitoring.Monitor { return nil },
	} {
		err := fx.New(fx.NopLogger, monitoring.Provide(constructor)).Err()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v\nwant it to contain %q", err, want)
		}
	}
}

type onlyByPointer struct{}

func (*onlyByPointer) Begin(ctx context.Context, _ monitoring.Delivery) context.Context   { return ctx }
func (*onlyByPointer) End(_ context.Context, _ monitoring.Delivery, _ monitoring.Outcome) {}

func TestAConstructorsErrorStopsTheApp(t *testing.T) {
	broken := errors.New("no licence")
	err := fx.New(fx.NopLogger,
		monitoring.Provide(func() (monitoring.Monitor, error) { return nil, broken }),
		fx.Invoke(deliver(t.Context())),
	).Err()
	if !errors.Is(err, broken) {
		t.Errorf("error is %v; want %v", err, broken)
	}
}

// deliver takes the place of the consumer: it calls the application's monitors for one delivery.
func deliver(ctx context.Context) any {
	return func(g monitors.Group) {
		m, d := g.Monitor(), monitoring.Delivery{Consumer: "orders"}
		m.End(m.Begin(ctx, d), d, monitoring.Outcome{Action: monitoring.Acked})
	}
}
