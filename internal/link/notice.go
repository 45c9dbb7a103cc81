package link

import (
	"log/slog"
	"sync"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Notices calls functions with events, in order. The sender does not wait for them. The zero value
// is ready once Log is set.
type Notices struct {
	Log *slog.Logger // of panics in the functions

	mu    sync.Mutex
	next  int
	funcs map[int]func(transport.Event)
	queue []transport.Event
	// A goroutine calls the functions. It ends when the queue is empty, and nobody waits for it.
	running bool
}

// Add calls f at each event from now on, until the returned function is called.
func (n *Notices) Add(f func(transport.Event)) func() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.funcs == nil {
		n.funcs = map[int]func(transport.Event){}
	}
	id := n.next
	n.next++
	n.funcs[id] = f
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.funcs, id)
	}
}

// Post hands an event to all that were added. It does not wait for them.
func (n *Notices) Post(e transport.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.funcs) == 0 {
		return
	}
	n.queue = append(n.queue, e)
	if !n.running {
		n.running = true
		go n.handOn()
	}
}

// handOn calls the functions. One that calls runtime.Goexit ends the goroutine, and another one goes
// on with the next event.
func (n *Notices) handOn() {
	clean := false
	defer func() {
		if !clean {
			go n.handOn()
		}
	}()
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.running, clean = false, true
			n.mu.Unlock()
			return
		}
		e := n.queue[0]
		n.queue = n.queue[1:]
		funcs := make([]func(transport.Event), 0, len(n.funcs))
		for id := range n.next {
			if f := n.funcs[id]; f != nil {
				funcs = append(funcs, f)
			}
		}
		n.mu.Unlock()
		for _, f := range funcs {
			n.call(f, e)
		}
	}
}

func (n *Notices) call(f func(transport.Event), e transport.Event) {
	defer func() {
		if p := recover(); p != nil {
			n.Log.Error("connection notice panicked", "event", e.Kind.String(), "panic", foreign.Panic(p))
		}
	}()
	f(e)
}
