package connection

import (
	"fmt"
	"log/slog"
	"sync"
)

// Kind is what an Event tells.
type Kind int

// The kinds of Event.
const (
	Connected Kind = iota + 1 // a session has begun
	Lost                      // a session has ended, and not by Stop
	Blocked                   // the broker takes no messages: a memory or disk alarm
	Unblocked                 // it takes them again
)

// String is the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Lost:
		return "lost"
	case Blocked:
		return "blocked"
	case Unblocked:
		return "unblocked"
	}
	return fmt.Sprintf("kind(%d)", int(k))
}

// Event is a notice of what happened to one of the two TCP connections.
type Event struct {
	Kind    Kind
	Purpose string // "publish" or "consume"
	Reason  string // the broker's, of Blocked
	Err     error  // why it was Lost
}

// Notify calls f at each Event from now on, one at a time and in order, until the
// returned function is called. f may take its time, and may call Stop: nothing waits for it but
// the next notice.
func (c *Connection) Notify(f func(Event)) (stop func()) { return c.notices.add(f) }

// notices hands events on in order without making the sender wait.
type notices struct {
	log *slog.Logger

	mu      sync.Mutex
	next    int
	funcs   map[int]func(Event)
	queue   []Event
	running bool // the goroutine that hands on; it ends with the queue, and nobody waits for it
}

func (n *notices) add(f func(Event)) func() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.funcs == nil {
		n.funcs = map[int]func(Event){}
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

func (n *notices) post(e Event) {
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

func (n *notices) handOn() {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.running = false
			n.mu.Unlock()
			return
		}
		e := n.queue[0]
		n.queue = n.queue[1:]
		funcs := make([]func(Event), 0, len(n.funcs))
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

func (n *notices) call(f func(Event), e Event) {
	defer func() {
		if p := recover(); p != nil {
			n.log.Error("connection notice panicked", "event", e.Kind.String(), "panic", p)
		}
	}()
	f(e)
}
