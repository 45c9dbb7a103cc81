package prometheus

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/watch"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Module provides a *Monitor, adds it to the app's monitoring, and watches the app's connections and consumers. It
// takes the app's [Config], if there is one. When the app has stopped, its metrics leave the registry.
//
// It takes the place of the log that an app without monitors has; to keep that as well, add
//
//	monitoring.Provide(func() monitoring.Log { return monitoring.Log{} })
var Module = fx.Module("bunnicula.monitoring.prometheus",
	fx.Provide(provide),
	monitoring.Provide(func(m *Monitor) *Monitor { return m }),
	fx.Invoke(func(m *Monitor, parts watch.Parts) {
		parts.Each(
			func(name string, c *connection.Connection) { m.WatchConnection(name, c) },
			func(g *consumer.Group) { m.WatchConsumers(g) },
		)
	}),
)

type params struct {
	fx.In

	Lifecycle fx.Lifecycle
	Config    Config `optional:"true"`
}

func provide(p params) (*Monitor, error) {
	m, err := New(p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StopHook(m.Close))
	return m, nil
}
