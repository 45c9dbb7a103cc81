package sentry_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
)

func TestModuleSendsTheLastEventsOfStoppingConsumers(t *testing.T) {
	s := newServer(t)
	fxtest.New(t,
		sentry.Module,
		fx.Supply(sentry.Config{DSN: s.dsn()}),
		fx.Invoke(failWhileStopping),
	).RequireStart().RequireStop()
	if got := s.rest(); len(got) != 1 || got[0].Tags["consumer"] != "orders" {
		t.Errorf("reported %v; want the event of orders", got)
	}
}

func TestASentryThatHangsNeitherFailsNorUsesUpTheStop(t *testing.T) {
	s := newHangingServer(t)
	var log bytes.Buffer
	var left time.Duration
	app := fxtest.New(t,
		sentry.Module,
		fx.Supply(sentry.Config{DSN: s.dsn()}),
		fx.Provide(func() *slog.Logger { return slog.New(slog.NewTextHandler(&log, nil)) }),
		// The part that starts first, such as the connection, stops last.
		fx.Invoke(func(lc fx.Lifecycle) {
			lc.Append(fx.StopHook(func(ctx context.Context) {
				deadline, _ := ctx.Deadline()
				left = time.Until(deadline)
			}))
		}),
		fx.Invoke(failWhileStopping),
	).RequireStart()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // half of it may go to Sentry
	defer cancel()
	if err := app.Stop(ctx); err != nil {
		t.Errorf("Stop: %v; want the app to stop without its Sentry", err)
	}
	if left <= 0 {
		t.Errorf("the hooks after it had %v left; want some", left)
	}
	if !strings.Contains(log.String(), `level=WARN msg="sentry events lost"`) {
		t.Errorf("logged %q; want a line that says what was lost", log.String())
	}
}

func TestWithoutADSNTheAppsLoggerSaysSo(t *testing.T) {
	var log bytes.Buffer
	fxtest.New(t,
		sentry.Module,
		fx.Supply(sentry.Config{}),
		fx.Provide(func() *slog.Logger { return slog.New(slog.NewTextHandler(&log, nil)) }),
		fx.Invoke(failWhileStopping),
	).RequireStart().RequireStop()
	if !strings.Contains(log.String(), `msg="sentry is off"`) {
		t.Errorf("logged %q; want that it is off", log.String())
	}
}

func TestModuleSaysThatItsConfigIsMissing(t *testing.T) {
	err := fx.New(fx.NopLogger, sentry.Module, fx.Invoke(failWhileStopping)).Err()
	if err == nil || !strings.Contains(err.Error(), "sentry.Config") {
		t.Errorf("error is %v; want it to name sentry.Config", err)
	}
}

func TestModulePassesConfigErrorsOn(t *testing.T) {
	err := fx.New(fx.NopLogger, sentry.Module, fx.Supply(sentry.Config{DSN: key}), fx.Invoke(failWhileStopping)).Err()
	if err == nil || !strings.Contains(err.Error(), "sentry: Config.DSN: ") || strings.Contains(err.Error(), key) {
		t.Errorf("error is %v; want it to name the field, without the key", err)
	}
}

// failWhileStopping takes the place of a consumer whose last message is parked while it stops.
func failWhileStopping(lc fx.Lifecycle, g monitors.Group) {
	m, d := g.Monitor(), monitoring.Delivery{Consumer: "orders"}
	lc.Append(fx.StopHook(func() { m.End(context.Background(), d, parked(nil)) }))
}
