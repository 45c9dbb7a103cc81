package prometheus

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Module provides a *Monitor, adds it to the app's monitoring, and adds the metrics of the app's
// connections and consumers. It takes the app's [Config], if there is one. The metrics leave the
// registry when the app stops. Connections and consumers are those of connection.Module,
// connection.Named and consumer.Module; give others to [Monitor.Watch].
//
// An app with a Monitor has no log of its deliveries. To have both, add
//
//	monitoring.Provide(func() monitoring.Log { return monitoring.Log{} })
var Module = fx.Module("bunnicula.monitoring.prometheus",
	fx.Provide(provide),
	monitoring.Provide(func(m *Monitor) *Monitor { return m }),
	fx.Invoke(watch),
)

// watch adds the members of the application's value group. fx compares types, so the members have
// the unnamed type of which Source is an alias.
func watch(m *Monitor, p struct {
	fx.In

	Sources []Source `group:"bunnicula.metrics"`
}) {
	for _, s := range p.Sources {
		m.Watch(s)
	}
}

type params struct {
	fx.In

	Lifecycle fx.Lifecycle
	Config    Config       `optional:"true"`
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
	p.Lifecycle.Append(fx.StopHook(m.Close))
	return m, nil
}
