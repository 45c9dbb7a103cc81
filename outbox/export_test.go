package outbox

import "context"

// Published is how many rows the relays of the Box have published.
func (b *Box) Published() uint64 { return b.counts.published.Load() }

// Clean is what a relay does each minute.
func (b *Box) Clean(ctx context.Context) error { return (&janitor{box: b}).clean(ctx) }

// Kicked returns whether the relays of a Box were told to look, since the last call.
func Kicked(b *Box) bool {
	select {
	case <-b.wake:
		return true
	default:
		return false
	}
}
