package statsd_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
)

func TestModuleSendsTheLastMetricsOfStoppingConsumers(t *testing.T) {
	s := newServer(t)
	fxtest.New(t,
		statsd.Module,
		fx.Supply(statsd.Config{Addr: s.addr(), FlushInterval: time.Hour}),
		// A consumer settles its last delivery while it stops.
		fx.Invoke(func(lc fx.Lifecycle, g monitors.Group) {
			m, d := g.Monitor(), monitoring.Delivery{Consumer: "orders"}
			lc.Append(fx.StopHook(func() { m.End(t.Context(), d, monitoring.Outcome{Action: monitoring.Acked}) }))
		}),
	).RequireStart().RequireStop()

	want := []metric{{"orders.success", "1", "c", ""}}
	if got := s.received(t); !reflect.DeepEqual(got, want) {
		t.Errorf("received %v; want %v", got, want)
	}
}

func TestModuleSaysThatItsConfigIsMissing(t *testing.T) {
	err := fx.New(fx.NopLogger, statsd.Module, fx.Invoke(func(monitors.Group) {})).Err()
	if err == nil || !strings.Contains(err.Error(), "statsd.Config") {
		t.Errorf("error is %v; want it to name statsd.Config", err)
	}
}

func TestModulePassesConfigErrorsOn(t *testing.T) {
	err := fx.New(fx.NopLogger,
		statsd.Module,
		fx.Supply(statsd.Config{Addr: "nowhere"}),
		fx.Invoke(func(monitors.Group) {}),
	).Err()
	if err == nil || !strings.Contains(err.Error(), `statsd: Config.Addr "nowhere"`) {
		t.Errorf("error is %v; want it to name the field", err)
	}
}
