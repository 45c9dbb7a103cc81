package consumer

import (
	"fmt"
	"slices"
	"sync"
)

// held is what a consumer holds because it can neither be settled nor lost: nobody can read it, or
// the broker refuses its copies for good, and the queue does not dead-letter at least once. The
// consumer is not ready meanwhile.
type held struct {
	mu  sync.Mutex     // guards all; the settler writes it, Health reads it
	all []*heldMessage // in the order in which they were held; the prefetch bounds them
}

// heldMessage is immutable.
type heldMessage struct {
	id     string
	cause  error
	unread bool // the client cannot read it
}

func (h *held) add(m *heldMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, m)
}

func (h *held) remove(m *heldMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = slices.DeleteFunc(h.all, func(o *heldMessage) bool { return o == m })
}

// look returns how many messages are held because they are unreadable, and how many because their
// copies are refused. The error names the first of all, nil if there is none.
func (h *held) look(queue string) (unreadable, refused int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.all {
		if m.unread {
			unreadable++
		} else {
			refused++
		}
	}
	if n := len(h.all); n > 0 {
		first := h.all[0]
		err = fmt.Errorf("%d messages of queue %q are held, which does not dead-letter at least once; the first is %q: %w",
			n, queue, first.id, first.cause)
	}
	return unreadable, refused, err
}

// hold holds a message. The returned function ends that; it must be called before the message is
// settled, or when its channel has ended.
func (s *settler) hold(d *received, cause error) (release func()) {
	d.settled() // the gate does not stay closed for a held message
	d.from.acks.Hold()
	m := &heldMessage{id: d.loggedID(), cause: cause, unread: d.facts.Unread}
	s.gauges.held.add(m)
	return func() {
		s.gauges.held.remove(m)
		d.from.acks.Release()
	}
}
