package control

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

const (
	tellEvery = time.Minute // at most one line about dropped events
	maxLogged = 1 << 10     // bytes of an error in it
)

// losses counts dropped events, and logs their number at most once a minute.
type losses struct {
	log *slog.Logger // immutable

	count atomic.Uint64 // all of them; whoever drops

	mu      sync.Mutex
	pending uint64    // not logged yet; guarded by mu
	next    time.Time // before which nothing is logged; guarded by mu
	why     error     // of the last one; guarded by mu
}

// silently counts events without a line in the log, because there is one already that says why.
func (l *losses) silently(n int) { l.count.Add(uint64(n)) }

// add counts events that were dropped.
func (l *losses) add(n int, why error) {
	l.count.Add(uint64(n))
	l.mu.Lock()
	l.pending += uint64(n)
	l.why = why
	due := !time.Now().Before(l.next)
	l.mu.Unlock()
	if due {
		l.tell()
	}
}

// tell logs what was not logged yet.
func (l *losses) tell() {
	l.mu.Lock()
	n, why := l.pending, l.why
	l.pending, l.next = 0, time.Now().Add(tellEvery)
	l.mu.Unlock()
	if n > 0 {
		l.log.Warn("events dropped", "dropped", n, "dropped_total", l.count.Load(), "err", foreign.Line(foreign.Text(why, maxLogged), maxLogged))
	}
}
