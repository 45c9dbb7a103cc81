// Package watchdog notices operations that run for too long.
package watchdog

import (
	"sync"
	"time"
)

// Watchdog calls Expired for every watched operation that runs longer than Limit. All operations of
// one watchdog have the same limit, so they expire in the order in which they began, and one timer
// serves them all. An operation that ends in time does not touch the timer. With a timer for each
// operation, one would be set and stopped for every message.
type Watchdog struct {
	Limit time.Duration // immutable once an operation has begun

	mu          sync.Mutex  // guards all below, and every watched Operation
	first, last *Operation  // the watched operations, in the order in which they expire
	timer       *time.Timer // nil until the first operation begins
	armed       bool        // the timer runs
}

// Operation is the watchdog's note of an operation. The struct that stands for the operation embeds
// it, so that no memory is allocated for it.
type Operation struct {
	who            Expirer    // nil unless the operation is watched
	due            time.Time  // when it expires
	earlier, later *Operation // those that expire before and after it
}

// Expirer is what Begin watches. Expired is called at most once, in a goroutine of its own, when
// the operation has run for longer than the limit.
type Expirer interface{ Expired() }

// Begin watches an operation from now on. End must follow. who is told if it expires.
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

// End ends an operation. It returns false if the operation has expired: Expired was called or is
// about to be.
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

// arm sets the timer for the operation that expires first.
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

// Stop stops the timer. It is called when no operation runs any more, or none is to expire.
func (w *Watchdog) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}
