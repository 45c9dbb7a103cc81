package monitors_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

func TestAnAppWithoutMonitorsLogs(t *testing.T) {
	var log bytes.Buffer
	fxtest.New(t,
		fx.Provide(func() *slog.Logger { return jsonLogger(&log) }),
		fx.Invoke(deliver(t.Context())),
	).RequireStart().RequireStop()
	if !strings.Contains(log.String(), `"msg":"message acked"`) {
		t.Errorf("logged %q; want a line for the delivery", log.String())
	}
}

func TestAnAppThatProvidesNopIsSilent(t *testing.T) {
	var log bytes.Buffer
	fxtest.New(t,
		fx.Provide(func() *slog.Logger { return jsonLogger(&log) }),
		monitoring.Provide(func() monitoring.Nop { return monitoring.Nop{} }),
		fx.Invoke(deliver(t.Context())),
	).RequireStart().RequireStop()
	if log.Len() != 0 {
		t.Errorf("logged %q; want nothing", log.String())
	}
}

func TestAProvidedMonitorsPanicGoesToTheAppsLogger(t *testing.T) {
	var log bytes.Buffer
	fxtest.New(t,
		fx.Provide(func() *slog.Logger { return jsonLogger(&log) }),
		monitoring.Provide(func() panicker { return panicker{} }),
		fx.Invoke(deliver(t.Context())),
	).RequireStart().RequireStop()
	if n := strings.Count(log.String(), `"msg":"monitor panicked"`); n != 2 {
		t.Errorf("logged %d panics; want those of Begin and End:\n%s", n, log.String())
	}
}

// deliver stands for the consumer: it tells the app's monitors of one delivery.
func deliver(ctx context.Context) any {
	return func(g monitors.Group) {
		m, d := g.Monitor(), monitoring.Delivery{Consumer: "orders"}
		m.End(m.Begin(ctx, d), d, monitoring.Outcome{Action: monitoring.Acked})
	}
}
