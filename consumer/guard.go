package consumer

import (
	"sync"
	"time"
)

// suspicious is the delivery count from which a message may be the one that kills its
// process. The first return may have been an accident of a neighbour's.
const suspicious = 2

// losses are the sessions that ended while this process lived on. The broker's delivery count cannot tell
// a process that died from a connection that was lost, but we can: of the times that a message came back,
// as many as we lost sessions since it was published may have been ours, and we are here to say that it did not
// kill us. So a flapping link parks nothing as crashed.
//
// A message that does kill profits from this once at most in each process: the next one has lost nothing yet.
type losses struct {
	mu   sync.Mutex
	when []time.Time // the last of them, in order
}

// maxLosses is more than any delivery count that matters.
const maxLosses = 128

func (l *losses) add(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.when = append(l.when, now)
	l.when = l.when[max(0, len(l.when)-maxLosses):]
}

// since counts the losses after a time, all of them if it is zero. Two hosts' clocks, and timestamps of
// whole seconds, may be a little apart.
func (l *losses) since(published time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for i := len(l.when) - 1; i >= 0 && l.when[i].After(published.Add(-5*time.Second)); i-- {
		n++
	}
	return n
}
