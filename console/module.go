package console

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
)

// Module provides a *Console made from the application's [Config], whose Connection is the
// application's if none is set, and so are its Consumers, and its Monitor with [MonitorModule]. It
// closes before the connection does.
var Module = fx.Module("bunnicula.console", fx.Provide(provide))

// MonitorModule adds a [Monitor] to an fx app, beside the monitors that it has: the log of
// deliveries stays. [Module] gives it to the Console.
var MonitorModule = fx.Module("bunnicula.console.monitor",
	fx.Provide(func() *Monitor { return &Monitor{} }),
	monitors.Beside(func(m *Monitor) *Monitor { return m }),
)

func provide(p struct {
	fx.In

	Lifecycle  fx.Lifecycle
	Config     Config
	Connection *connection.Connection `optional:"true"`
	Logger     *slog.Logger           `optional:"true"`
	Consumers  *consumer.Group        `optional:"true"`
	Monitor    *Monitor               `optional:"true"`
},
) (*Console, error) {
	cfg := p.Config
	if cfg.Connection == nil {
		cfg.Connection = p.Connection
	}
	if cfg.Consumers == nil {
		cfg.Consumers = p.Consumers
	}
	if cfg.Monitor == nil {
		cfg.Monitor = p.Monitor
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
