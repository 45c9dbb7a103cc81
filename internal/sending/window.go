package sending

import (
	"maps"
	"slices"
	"sync"
)

// account is a number of places for messages in flight. There is the window, and each lane has one
// for its stuck keys, an eighth as large, so that a queue that does not confirm leaves the window
// to others.
type account chan struct{}

func (a account) give() { <-a }

// tryTake is false when no place is free.
func (a account) tryTake() bool {
	select {
	case a <- struct{}{}:
		return true
	default:
		return false
	}
}

// roster knows how many messages are in flight, and the async ones, until the pipeline is stopped.
type roster struct {
	mu       sync.Mutex // guards what is below
	stopping bool
	count    int
	deserted int // of count: their callers have gone, so that stop does not wait for them
	async    map[*Message]struct{}
	empty    chan struct{} // made by stop, closed when stop need not wait any more
}

// join is false when the pipeline is stopping.
func (r *roster) join(m *Message) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return false
	}
	r.count++
	m.hasLeft = false
	if m.async {
		if r.async == nil {
			r.async = map[*Message]struct{}{}
		}
		r.async[m] = struct{}{}
	}
	return true
}

func (r *roster) left(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count--
	if m.hasLeft = true; m.isDeserted {
		r.deserted--
	}
	if m.async {
		delete(r.async, m)
	}
	r.look()
}

// desert is called when the caller of a message has gone.
func (r *roster) desert(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !m.hasLeft {
		m.isDeserted = true
		r.deserted++
		r.look()
	}
}

// look tells stop when there is nothing left to wait for.
func (r *roster) look() {
	if r.count > r.deserted || r.empty == nil {
		return
	}
	select {
	case <-r.empty:
	default:
		close(r.empty)
	}
}

// stop lets nothing join any more. The channel is closed when nothing is in flight for which
// somebody waits.
func (r *roster) stop() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
	if r.empty == nil {
		r.empty = make(chan struct{})
	}
	r.look()
	return r.empty
}

func (r *roster) inFlight() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// abandon ends the async messages. Of others the caller does that, in Wait.
func (r *roster) abandon(cause error) {
	r.mu.Lock()
	all := slices.Collect(maps.Keys(r.async))
	r.mu.Unlock()
	for _, m := range all {
		m.abandon(cause)
	}
}

// waiting is how many messages are in flight for which somebody waits.
func (r *roster) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count - r.deserted
}
