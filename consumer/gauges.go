package consumer

import (
	"sync"
	"sync/atomic"
)

// gauges are the numbers that Health reads. Each has one owner, who writes it.
type gauges struct {
	subscribed atomic.Bool  // the intake: a subscription stands
	prefetch   atomic.Int64 // the intake: that of the last subscription
	unreadable atomic.Int64 // the settler: messages held because the client cannot read them
	alone      atomic.Bool  // the guard: its gate is closed
	workers    atomic.Int64 // the pool: goroutines that run handlers, or wait to
	running    atomic.Int64 // the pool: messages in their hands, those of stuck handlers among them
	copies     atomic.Int64 // the settler: blocked copies
	stale      atomic.Int64 // the settler and the session: acks that were dropped with their session
	lost       atomic.Int64 // the supervisor and the guard: sessions and channels that this process lost and survived

	mu  sync.Mutex
	err error // the supervisor and the session: why there is no subscription
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
