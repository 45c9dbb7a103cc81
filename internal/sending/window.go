package sending

import "sync"

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
	async    map[*Message]struct{}
	empty    chan struct{} // made by stop, closed when nothing is in flight
}

// join is false when the pipeline is stopping.
func (r *roster) join(m *Message) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return false
	}
	r.count++
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
	if m.async {
		delete(r.async, m)
	}
	if r.count == 0 && r.empty != nil {
		r.close()
	}
}

func (r *roster) close() {
	select {
	case <-r.empty:
	default:
		close(r.empty)
	}
}

// stop lets nothing join any more. The channel is closed when nothing is in flight.
func (r *roster) stop() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
	if r.empty == nil {
		r.empty = make(chan struct{})
	}
	if r.count == 0 {
		r.close()
	}
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
	defer r.mu.Unlock()
	for m := range r.async {
		m.abandon(cause)
	}
}
