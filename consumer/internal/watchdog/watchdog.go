// Package watchdog notices operations that run for too long.
package watchdog

import (
	"sync"
	"time"
)

// Watchdog calls Expired on every watched operation that runs longer than Limit. All operations of one
// watchdog have the same limit, so they expire in the order in which they began, and one timer serves
// them all. An operation that ends in time does not touch the timer: a timer for each would be set and
// stopped once for every message.
type Watchdog struct {
	Limit time.Duration

	mu          sync.Mutex // guards all below, and every watched Operation
	first, last *Operation
	timer       *time.Timer
	armed       bool // the timer runs
}

// Operation is something that has begun and has not ended. It is part of what it is about.
type Operation struct {
	who            Expirer // nil unless it is watched
	due            time.Time
	earlier, later *Operation
}

// Expirer is told that its operation has run for too long, once, in a goroutine of its own.
type Expirer interface{ Expired() }

// Begin watches an operation from now on. End must follow.
func (w *Watchdog) Begin(o *Operation, who Expirer, now time.Time) {
	o.who, o.due = who, now.Add(w.Limit)
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.earlier = w.last; w.last != nil {
		w.last.later = o
	} else {
		w.first = o
	}
	w.last = o
	if !w.armed {
		w.arm(w.Limit)
	}
}

// End is false if the operation has expired, or is about to.
func (w *Watchdog) End(o *Operation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.who == nil {
		return false
	}
	w.remove(o)
	return true
}

func (w *Watchdog) remove(o *Operation) {
	if o.earlier != nil {
		o.earlier.later = o.later
	} else {
		w.first = o.later
	}
	if o.later != nil {
		o.later.earlier = o.earlier
	} else {
		w.last = o.earlier
	}
	*o = Operation{}
}

// arm sets the timer for the first operation.
func (w *Watchdog) arm(left time.Duration) {
	w.armed = true
	if w.timer == nil {
		w.timer = time.AfterFunc(left, w.onTimer)
		return
	}
	w.timer.Reset(left)
}

func (w *Watchdog) onTimer() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	for now := time.Now(); w.first != nil; {
		if left := w.first.due.Sub(now); left > 0 {
			w.arm(left)
			return
		}
		who := w.first.who
		w.remove(w.first)
		go who.Expired()
	}
}

// Stop ends the timer. It is for when nothing runs any more, or nobody wants to know.
func (w *Watchdog) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}
