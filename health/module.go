package health

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// Module provides a *Health that watches the application's connections and consumers. It takes the
// application's [Config], if there is one.
//
// Put it before consumer.Module. It then answers from the beginning, also while the consumers still
// wait for a broker.
var Module = fx.Module("bunnicula.health",
	fx.Provide(provide),
	// Its start hook must run before those of the connections and consumers.
	fx.Invoke(func(*Health) {}),
	fx.Invoke(watch),
)

// watch adds the application's connections and consumers, if it has any.
func watch(h *Health, p struct {
	fx.In

	Connection  *connection.Connection       `optional:"true"`
	Connections []connection.NamedConnection `group:"bunnicula.connections"`
	Consumers   *consumer.Group              `optional:"true"`
}) {
	if p.Connection != nil {
		h.WatchConnection(p.Connection.Name(), p.Connection)
	}
	for _, c := range p.Connections {
		h.WatchConnection(c.Name, c.Connection)
	}
	if p.Consumers != nil {
		h.WatchConsumers(p.Consumers)
	}
}

type params struct {
	fx.In

	Lifecycle fx.Lifecycle
	Config    Config       `optional:"true"`
	Logger    *slog.Logger `optional:"true"`
}

func provide(p params) (*Health, error) {
	if p.Config.Logger == nil {
		p.Config.Logger = p.Logger
	}
	h, err := New(p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StartStopHook(h.Start, h.Stop))
	return h, nil
}
