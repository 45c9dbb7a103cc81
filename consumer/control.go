package consumer

import (
	"sync"
	"sync/atomic"
)

// wanted is what is wanted of a consumer at one moment: a value.
type wanted struct {
	stopping bool // by Stop
	paused   bool // by Pause
	stuck    int  // handlers past their timeout and grace
	blocked  int  // calls of the monitor that do not return
	slots    int  // the Spec's Concurrency
	ahead    int  // how many messages to take from the queue, those in hand included
}

// prefetch is the prefetch of the subscription that is wanted. 0 is no subscription.
func (w wanted) prefetch() int {
	if w.stopping || w.paused || w.wedged() {
		return 0
	}
	return w.ahead
}

// wedged says that no slot is left that could do anything.
func (w wanted) wedged() bool { return w.stuck+w.blocked >= w.slots }

// control holds what is wanted. Pause, Resume, Stop, the attempts, the reporter and the lookahead change
// it; the intake follows it.
type control struct {
	changed signal // wakes the intake

	mu  sync.Mutex // serializes updates
	now atomic.Pointer[wanted]
}

func newControl(first wanted) *control {
	c := &control{changed: newSignal()}
	c.now.Store(&first)
	return c
}

// get is what is wanted now.
func (c *control) get() wanted { return *c.now.Load() }

// update changes what is wanted, and wakes the intake once.
func (c *control) update(change func(*wanted)) {
	c.mu.Lock()
	next := c.get()
	change(&next)
	c.now.Store(&next)
	c.mu.Unlock()
	c.changed.set()
}
