package consumer

import (
	"sync"
	"sync/atomic"
)

// wanted says what a consumer is to do at one moment. It is a value.
type wanted struct {
	stopping bool // Stop was called
	paused   bool // Pause was called, and not Resume after it
	stuck    int  // handlers past their timeout and grace
	blocked  int  // calls of the monitor that do not return
	slots    int  // Spec.Concurrency; it never changes
	ahead    int  // how many messages to take from the queue, those that are being handled included
}

// prefetch returns the prefetch of the subscription that is wanted. 0 means no subscription.
func (w wanted) prefetch() int {
	if w.stopping || w.paused || w.wedged() {
		return 0
	}
	return w.ahead
}

// wedged returns whether stuck handlers and blocked monitor calls take every slot.
func (w wanted) wedged() bool { return w.stuck+w.blocked >= w.slots }

// control holds what is wanted. Pause, Resume, Stop, attempts and the reporter change it. The
// intake makes the subscription follow it.
type control struct {
	changed signal // wakes the intake; docs/DESIGN.md lists who sets it

	mu  sync.Mutex             // serializes updates
	now atomic.Pointer[wanted] // replaced by update
}

func newControl(first wanted) *control {
	c := &control{changed: newSignal()}
	c.now.Store(&first)
	return c
}

// get returns what is wanted now.
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
