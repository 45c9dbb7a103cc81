package control

import "time"

// LookAgain has the monitor look sooner for an exchange that is missing. Call it before Start.
func (m *EventMonitor) LookAgain(after time.Duration) { m.outlet.again = after }
