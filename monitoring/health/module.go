package health

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/watch"
)

// Module provides a *Health that looks after the app's connections and consumers. It takes the app's [Config], if
// there is one.
//
// Put it before consumer.Module: then it answers while the consumers still wait for a broker, and /livez is there from the beginning.
var Module = fx.Module("bunnicula.monitoring.health",
	fx.Provide(provide),
	fx.Invoke(func(*Health) {}), // its start hook comes before those of what it watches
	fx.Invoke(func(h *Health, parts watch.Parts) {
		parts.Each(
			func(name string, c *connection.Connection) { h.WatchConnection(name, c) },
			func(g *consumer.Group) { h.WatchConsumers(g) },
		)
	}),
)

type params struct {
	fx.In

	Lifecycle fx.Lifecycle
	Config    Config `optional:"true"`
}

func provide(p params) (*Health, error) {
	h, err := New(p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StartStopHook(h.Start, h.Stop))
	return h, nil
}
