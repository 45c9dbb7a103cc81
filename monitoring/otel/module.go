package otel

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Module provides a *Monitor, adds it to the app's monitoring, and traces the app's
// publisher.Publisher. It takes the app's [Config], if there is one. Add it to the app itself: in
// an fx.Module, only the publishers of that module are traced.
//
// An app with a Monitor has no log of its deliveries. To have both, add
//
//	monitoring.Provide(func() monitoring.Log { return monitoring.Log{} })
var Module = fx.Options(
	fx.Provide(func(p params) (*Monitor, error) { return New(p.Config) }),
	monitoring.Provide(func(m *Monitor) *Monitor { return m }),
	fx.Decorate(func(m *Monitor, p publisher.Publisher) publisher.Publisher { return m.Publisher(p) }),
)

type params struct {
	fx.In

	Config Config `optional:"true"`
}
