package health

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// Module provides a *Health that looks after the app's connections and consumers. It takes the app's [Config], if
// there is one.
//
// Put it before consumer.Module: then it answers while the consumers still wait for a broker, and /livez is there from the beginning.
var Module = fx.Module("bunnicula.monitoring.health",
	fx.Provide(provide),
	fx.Invoke(func(*Health) {}), // its start hook comes before those of what it watches
	fx.Invoke(watch),
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

type watched struct {
	fx.In

	Health      *Health
	Connection  *connection.Connection       `optional:"true"`
	Connections []connection.NamedConnection `group:"bunnicula.connections"`
	Consumers   *consumer.Group              `optional:"true"`
}

func watch(w watched) {
	if w.Connection != nil {
		w.Health.WatchConnection(w.Connection.Name(), w.Connection)
	}
	for _, c := range w.Connections {
		w.Health.WatchConnection(c.Name, c.Connection)
	}
	if w.Consumers != nil {
		w.Health.WatchConsumers(w.Consumers)
	}
}
