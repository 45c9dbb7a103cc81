package consumer

import (
	"sync"
	"sync/atomic"
)

// gauges are the numbers that Health reads. The part that each comment names writes the gauge.
type gauges struct {
	subscribed atomic.Bool  // the intake and the session: a subscription stands
	prefetch   atomic.Int64 // the intake: the prefetch of the last subscription
	alone      atomic.Bool  // the guard: the gate is closed
	workers    atomic.Int64 // the pool: workers, idle ones included
	running    atomic.Int64 // the pool: messages in the hands of workers, stuck handlers' included
	copies     atomic.Int64 // the settler: blocked copies
	stale      atomic.Int64 // the settler and the session: acks dropped with their session

	held     held     // the settler: messages that can neither be settled nor lost
	survived survived // the supervisor and the guard: returns that were no deaths; decode reads it

	mu  sync.Mutex // guards err
	err error      // the supervisor and the session: why there is no subscription
}

func (g *gauges) setErr(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

func (g *gauges) lastErr() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}
