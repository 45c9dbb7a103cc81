// Package monitors gathers the monitors of an fx app for who calls them.
package monitors

import (
	"slices"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Group is the monitors of an fx app. Those that monitoring.Provide adds take the place of the log.
type Group struct {
	fx.In

	Monitors []monitoring.Monitor `group:"bunnicula.monitors"`

	// Beside are monitors that say nothing to whoever reads the log, and leave it there.
	Beside []monitoring.Monitor `group:"bunnicula.monitors.beside"`
}

// Monitor is one Monitor that feeds all that were provided. If none was that takes the place of the
// log, a monitoring.Log is among them. It catches and logs the panics of each.
func (g Group) Monitor() monitoring.Monitor {
	all := g.Monitors
	if len(all) == 0 {
		all = []monitoring.Monitor{monitoring.Log{}}
	}
	return monitoring.Multi(slices.Concat(all, g.Beside)...)
}

// Beside adds a Monitor to the group Beside. The constructor's result is a Monitor, or one and an
// error.
func Beside(constructor any) fx.Option {
	return fx.Provide(fx.Annotate(constructor,
		fx.As(new(monitoring.Monitor)),
		fx.ResultTags(`group:"bunnicula.monitors.beside"`),
	))
}
