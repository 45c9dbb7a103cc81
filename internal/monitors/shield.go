// Package monitors prepares monitors for who calls them.
package monitors

import (
	"log/slog"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Shield returns m with its panics caught and logged by logger. Whoever calls a Monitor that
// somebody else wrote calls it through a Shield. A nil logger is slog.Default, a nil m is
// monitoring.Nop. A part of m that has a logger already keeps it.
func Shield(logger *slog.Logger, m monitoring.Monitor) monitoring.Monitor {
	m = monitoring.Multi(m) // which shields
	if s, ok := m.(interface {
		LogTo(*slog.Logger) monitoring.Monitor
	}); ok {
		return s.LogTo(logger)
	}
	return m // a Nop
}
