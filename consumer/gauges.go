package consumer

import (
	"sync"
	"sync/atomic"
)

// gauges are the numbers that Health reads. The part that each comment names writes the gauge.
type gauges struct {
	subscribed atomic.Bool  // the intake and the session: a subscription stands
	prefetch   atomic.Int64 // the intake: the prefetch of the last subscription
	unreadable atomic.Int64 // the settler: unreadable messages that are held
	alone      atomic.Bool  // the guard: the gate is closed
	workers    atomic.Int64 // the pool: workers, idle ones included
	running    atomic.Int64 // the pool: messages in the hands of workers, stuck handlers' included
	copies     atomic.Int64 // the settler: blocked copies
	stale      atomic.Int64 // the settler and the session: acks dropped with their session

	// lost counts the sessions and channels that this process lost and survived. The broker counts
	// each of them as a return. The supervisor and the guard write it, and decode subtracts it.
	lost atomic.Int64

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
