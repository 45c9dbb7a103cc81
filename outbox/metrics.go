package outbox

import (
	"context"
	"sync"
	"time"
)

const (
	metricsAge  = 10 * time.Second // how old the rows of metrics may be
	metricsWait = 3 * time.Second  // how long a scrape waits for the database
)

// gauges are the Stats that Metrics has asked for last.
type gauges struct {
	mu    sync.Mutex
	at    time.Time // guarded by mu
	known bool      // guarded by mu: the last look was answered
	stats Stats     // guarded by mu
}

// Metrics tells the numbers of Stats, which are up to 10 s old, and what the relays of this Box
// have done, for monitoring/prometheus. It waits for the database for 3 s at most. Without an
// answer there are no numbers of Stats.
func (b *Box) Metrics(tell func(name string, value float64, labels ...string)) {
	if s, known := b.gauged(); known {
		for state, n := range map[string]int{
			"waiting": s.Waiting, "delayed": s.Delayed, "held": s.Held, "failed": s.Failed, "sent": s.Sent, "done": s.Done, "parked": s.Parked,
		} {
			tell("outbox_rows", float64(n), state)
		}
		tell("outbox_oldest_seconds", s.Oldest.Seconds())
	}
	tell("outbox_published_total", float64(b.counts.published.Load()))
	tell("outbox_refused_total", float64(b.counts.refused.Load()))
	tell("outbox_given_up_total", float64(b.counts.givenUp.Load()))
	tell("outbox_relay_errors_total", float64(b.counts.failed.Load()))
}

// gauged asks the database again if its last answer is old.
func (b *Box) gauged() (Stats, bool) {
	g := &b.gauges
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); g.at.IsZero() || now.Sub(g.at) >= metricsAge {
		ctx, cancel := context.WithTimeout(context.Background(), metricsWait)
		defer cancel()
		s, err := b.Stats(ctx)
		g.at, g.stats, g.known = now, s, err == nil
	}
	return g.stats, g.known
}
