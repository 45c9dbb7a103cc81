package monitors

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Group is the monitors of an fx app, as monitoring.Provide adds them.
type Group struct {
	fx.In

	Monitors []monitoring.Monitor `group:"bunnicula.monitors"`
	Logger   *slog.Logger         `optional:"true"`
}

// Monitor is one Monitor that feeds all that were provided. If none was, it is a monitoring.Log.
// Panics, and the Log's lines, go to the app's logger if it has one, else to slog.Default.
func (g Group) Monitor() monitoring.Monitor {
	if len(g.Monitors) == 0 {
		return Shield(g.Logger, monitoring.Log{Logger: g.Logger})
	}
	return Shield(g.Logger, monitoring.Multi(g.Monitors...))
}
