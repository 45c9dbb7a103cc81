package sentry

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Module adds a [Monitor] to the app's monitoring. It takes the app's Config, and its
// *slog.Logger if there is one. The Monitor is closed after the consumers have stopped.
//
// A Sentry that is down never fails the app's stop. It delays the stop by at most two seconds, and
// by at most half of the time that is left.
//
// An app with a Monitor has no log of its deliveries. To have both, add
//
//	monitoring.Provide(func() monitoring.Log { return monitoring.Log{} })
var Module = fx.Module("bunnicula.monitoring.sentry", monitoring.Provide(provide))

type params struct {
	fx.In

	Lifecycle fx.Lifecycle
	Config    Config
	Logger    *slog.Logger `optional:"true"`
}

func provide(p params) (*Monitor, error) {
	if p.Config.Logger == nil {
		p.Config.Logger = p.Logger
	}
	m, err := New(p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StopHook(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, stopLimit(ctx))
		defer cancel()
		if err := m.Close(ctx); err != nil {
			m.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "sentry events lost", slog.Any("err", err))
		}
	}))
	return m, nil
}

// stopLimit leaves time for the hooks that follow: fx skips them once its stop context has ended.
func stopLimit(ctx context.Context) time.Duration {
	const most = 2 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		return min(most, time.Until(deadline)/2)
	}
	return most
}
