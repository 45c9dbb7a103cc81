// Package monitors gathers the monitors of an fx app for who calls them.
package monitors

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Group is the monitors of an fx app, as monitoring.Provide adds them.
type Group struct {
	fx.In

	Monitors []monitoring.Monitor `group:"bunnicula.monitors"`
}

// Monitor is one Monitor that feeds all that were provided. If none was, it is a monitoring.Log. It
// catches and logs the panics of each.
func (g Group) Monitor() monitoring.Monitor {
	if len(g.Monitors) == 0 {
		return monitoring.Multi(monitoring.Log{})
	}
	return monitoring.Multi(g.Monitors...)
}
