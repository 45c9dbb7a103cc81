package console

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
)

// Module provides a *Console made from the application's [Config], whose Connection is the
// application's if none is set. It closes before the connection does.
var Module = fx.Module("bunnicula.console", fx.Provide(provide))

func provide(p struct {
	fx.In

	Lifecycle  fx.Lifecycle
	Config     Config
	Connection *connection.Connection `optional:"true"`
	Logger     *slog.Logger           `optional:"true"`
},
) (*Console, error) {
	cfg := p.Config
	if cfg.Connection == nil {
		cfg.Connection = p.Connection
	}
	if cfg.Log == nil {
		cfg.Log = p.Logger
	}
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StopHook(c.Close))
	return c, nil
}
