package statsd

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Module adds a [Monitor] to the app's monitoring. It takes the app's Config. The Monitor is closed
// after the consumers have stopped, so that their last metrics are sent.
//
// An app with a Monitor has no log of its deliveries. To have both, add
//
//	monitoring.Provide(func() monitoring.Log { return monitoring.Log{} })
var Module = fx.Module("bunnicula.monitoring.statsd", monitoring.Provide(provide))

type params struct {
	fx.In

	Lifecycle fx.Lifecycle
	Config    Config
}

func provide(p params) (*Monitor, error) {
	m, err := New(p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StopHook(m.Close))
	return m, nil
}
