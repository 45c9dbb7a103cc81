package consumer

import (
	"sync"
	"sync/atomic"
)

// wanted says what a consumer is to do at one moment. It is a value. What the application and an
// Order say stands side by side, so that neither undoes the other.
type wanted struct {
	stopping bool  // Stop was called
	paused   bool  // Pause was called, and not Resume after it
	most     int   // handlers at once, as the last Limit says; 0 is no limit
	order    Order // of the last Obey
	stuck    int   // handlers past their timeout and grace
	blocked  int   // calls of the monitor that do not return
	ahead    int   // how many messages to take from the queue without a limit, those that are being handled included

	// These never change.
	concurrency int
	open        bool // the Spec leaves the prefetch open
	keeps       bool // a limit does not change the prefetch
}

// prefetch returns the prefetch of the subscription that is wanted. 0 means no subscription.
func (w wanted) prefetch() int {
	if w.stopping || w.isPaused() || w.wedged() {
		return 0
	}
	return w.takes()
}

// isPaused returns whether the application or the order has paused the consumer.
func (w wanted) isPaused() bool { return w.paused || w.order.Paused }

// limit returns how many handlers may run at once: the lowest of what is set.
func (w wanted) limit() int {
	n := w.concurrency
	if w.most > 0 {
		n = min(n, w.most)
	}
	if w.order.Limit > 0 {
		n = min(n, w.order.Limit)
	}
	return n
}

// workers returns how many workers there may be. No handler begins when a stop has begun: the next
// message of a partition would overtake one whose handler gives up because of the stop. Nor does
// one while the consumer is paused, although the intake may be busy and not know yet. Only a
// message that the guard has taken is still handled; see pool.most.
func (w wanted) workers() int {
	if w.stopping || w.isPaused() {
		return 0
	}
	return w.limit()
}

// takes returns how many messages to take from the queue when some are to be taken. Fewer handlers
// need fewer, and other processes could handle the rest. A single active consumer takes as many as
// without a limit, because it would have to give up its place to take another number.
func (w wanted) takes() int {
	n := w.limit()
	switch {
	case n == w.concurrency, w.keeps:
		return w.ahead
	case w.open:
		return min(w.ahead, max(2*n, DefaultPrefetch))
	}
	return max(n, (w.ahead*n+w.concurrency-1)/w.concurrency)
}

// wedged returns whether stuck handlers and blocked monitor calls take every slot.
func (w wanted) wedged() bool { return w.stuck+w.blocked >= w.limit() }

// control holds what is wanted. Pause, Resume, Limit, Obey, Stop, attempts and the reporter change
// it. The intake makes the subscription follow it, and the pool its workers.
type control struct {
	changed signal // wakes the intake; docs/DESIGN.md lists who sets it

	mu    sync.Mutex             // serializes updates
	now   atomic.Pointer[wanted] // replaced by update
	slots atomic.Int64           // wanted.workers of now; update writes it, and workers read it for each message
}

func newControl(first wanted) *control {
	c := &control{changed: newSignal()}
	c.now.Store(&first)
	c.slots.Store(int64(first.workers()))
	return c
}

// get returns what is wanted now.
func (c *control) get() wanted { return *c.now.Load() }

// update changes what is wanted, and wakes the intake once. It returns what was wanted before.
func (c *control) update(change func(*wanted)) (before wanted) {
	c.mu.Lock()
	before = c.get()
	next := before
	change(&next)
	c.now.Store(&next)
	c.slots.Store(int64(next.workers()))
	c.mu.Unlock()
	c.changed.set()
	return before
}
