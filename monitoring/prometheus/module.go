package prometheus

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
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
	fx.Invoke(watch),
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

type subjects struct {
	fx.In

	Monitor     *Monitor
	Connection  *connection.Connection       `optional:"true"`
	Connections []connection.NamedConnection `group:"bunnicula.connections"`
	Consumers   *consumer.Group              `optional:"true"`
}

func watch(w subjects) {
	if w.Connection != nil {
		w.Monitor.WatchConnection(w.Connection.Name(), w.Connection)
	}
	for _, c := range w.Connections {
		w.Monitor.WatchConnection(c.Name, c.Connection)
	}
	if w.Consumers != nil {
		w.Monitor.WatchConsumers(w.Consumers)
	}
}
