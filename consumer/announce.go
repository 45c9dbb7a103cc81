package consumer

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// announcer writes the log lines that say when a consumer works, and what keeps a stop from ending.
// What it is not told itself it finds in the control and the pool.
type announcer struct {
	// Immutable.
	spec    *Spec
	base    *slog.Logger // for lines that are not of this consumer alone
	log     *slog.Logger // base with the consumer's name
	control *control
	pool    *pool

	many  atomic.Bool  // one line of the Group stands for those of its consumers; the Group sets it before it starts or stops them
	begun atomic.Bool  // the consumer has begun, and that was logged; the supervisor sets it
	told  atomic.Int64 // when stretched has logged, in ns since 1970; who settles writes it

	lost time.Time // when the last session ended, if that was logged. Only the supervisor uses it
}

// level is that of the lines that say that nothing is wrong.
func (a *announcer) level() slog.Level {
	if a.many.Load() {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// works is called when a subscription stands, and when none is wanted because of a pause. It logs
// the first time, and the first time after an interruption.
func (a *announcer) works(peer transport.Peer) {
	w := a.control.get()
	switch lost := a.lost; {
	case w.stopping:
	case a.begun.CompareAndSwap(false, true):
		a.log.Log(context.Background(), a.level(), "consumer started", "queue", a.spec.Queue, "concurrency", a.spec.Concurrency, "prefetch", w.takes(),
			"timeout", a.spec.shownTimeout(), "paused", w.isPaused(), "broker", peer.Version)
	case !lost.IsZero():
		a.log.Log(context.Background(), a.level(), "consumer is back", "queue", a.spec.Queue, "away", time.Since(lost).Round(time.Millisecond), "paused", w.isPaused(), "broker", peer.Version)
	}
	a.lost = time.Time{}
}

// away is called when it is logged why a consumer does not work. Only the first call after works
// counts.
func (a *announcer) away() {
	if a.lost.IsZero() {
		a.lost = time.Now()
	}
}

// trouble logs why a consumer does not work: its session has ended, or none could begin, which it
// finds out every ten seconds while there is no connection.
func (a *announcer) trouble(ended bool, err error) {
	if ended {
		a.log.Warn("consumer interrupted", "err", err)
		return
	}
	a.log.Warn("consumer waits", "err", err)
}

// stops logs the beginning of a stop, and a stop that has too little time. have is how long
// handlers may run yet, bounded by the deadline. It returns how many handlers the stop waits for.
func (a *announcer) stops(have time.Duration, bounded bool) (running int) {
	running = len(a.pool.underway())
	if !bounded {
		a.log.Log(context.Background(), a.level(), "consumer stops", "queue", a.spec.Queue, "running", running)
		return running
	}
	a.log.Log(context.Background(), a.level(), "consumer stops", "queue", a.spec.Queue, "running", running, "handlers_have", have.Round(time.Millisecond))
	return running
}

// stopped logs the end of a stop that has waited for handlers.
func (a *announcer) stopped(awaited int, took time.Duration) {
	if awaited > 0 {
		a.log.Log(context.Background(), a.level(), "consumer stopped", "queue", a.spec.Queue, "awaited", awaited, "took", took.Round(100*time.Millisecond))
	}
}

// mostNamed is how many handlers are named that outlive a stop.
const mostNamed = 20

// outlives logs the handlers that run when a stop is out of time, the longest first.
func (a *announcer) outlives() {
	all, now := a.pool.underway(), time.Now()
	for _, one := range all[:min(len(all), mostNamed)] {
		a.log.Error("handler outlives the stop", "message_id", one.delivery.loggedID(), "attempt", one.delivery.facts.Attempt,
			"running", now.Sub(one.ctx.began).Round(time.Millisecond), "stuck", one.state.Load() == stuck, "timeout", a.spec.shownTimeout())
	}
	if more := len(all) - mostNamed; more > 0 {
		a.log.Error("more handlers outlive the stop", "handlers", more)
	}
}

// stretchedEvery is how often a consumer says that a delay was stretched.
const stretchedEvery = time.Hour

// stretched logs that a message waits much longer than its handler has asked for.
func (a *announcer) stretched(s decide.Settlement, now time.Time) {
	last := a.told.Load()
	if last != 0 && now.Sub(time.Unix(0, last)) < stretchedEvery || !a.told.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	a.log.Warn("a delay is stretched by the retry queues; add shorter ones with Spec.Delays",
		"asked", s.Stretched, "became", s.Outcome.Delay, "queue", a.spec.Queue)
}

// handlersHave returns how long handlers may run when a stop has so much time left. Then their
// contexts are cancelled, and the rest is for what they could not finish.
func handlersHave(left time.Duration) time.Duration { return left - min(2*time.Second, left/4) }

// patient returns whether handlers have the time that the Spec gives them. With NoTimeout there is
// none to compare.
func (s *Spec) patient(have time.Duration) bool { return s.Timeout == NoTimeout || have >= s.Timeout }

// shownTimeout is the Timeout for the log.
func (s *Spec) shownTimeout() any {
	if s.Timeout == NoTimeout {
		return "none"
	}
	return s.Timeout
}

// hurry is what is logged of a stop that may interrupt a handler within its Timeout.
const hurry = "the stop gives handlers less time than their Timeout; raise fx.StopTimeout, or the deadline of Stop's context"
