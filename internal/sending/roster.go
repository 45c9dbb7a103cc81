package sending

import (
	"context"
	"sync"
)

// roster knows the messages in flight until the pipeline is stopped: how many they are, and which
// of them are asynchronous.
type roster struct {
	mu       sync.Mutex // guards what is below
	stopping bool
	count    int
	deserted int           // of count: their callers have gone, so that stop does not wait for them
	empty    chan struct{} // made by stop, closed when stop need not wait any more
	unwaited
}

// join is false when the pipeline is stopping. An asynchronous message ends with ctx from now on,
// and at its due time.
func (r *roster) join(ctx context.Context, m *Message) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return false
	}
	r.count++
	if m.hasLeft = false; m.isDeserted { // its context ended while its lane was chosen
		r.deserted++
	}
	if m.async {
		r.enter(ctx, m)
	}
	return true
}

// left is called when messages have left the pipeline.
func (r *roster) left(messages ...*Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count -= len(messages)
	for _, m := range messages {
		if m.hasLeft = true; m.isDeserted {
			r.deserted--
		}
		if m.async {
			r.leave(m)
		}
	}
	r.look()
}

// desert is called when the caller of a message has gone.
func (r *roster) desert(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.isDeserted = true; !m.hasLeft {
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

// waiting is how many messages are in flight for which somebody waits.
func (r *roster) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count - r.deserted
}
