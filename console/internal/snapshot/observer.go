package snapshot

import (
	"bytes"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Observer makes snapshots of what an operation reads, so that nobody needs to read the queue once
// more. Its methods are callbacks of one call of errorqueue, whose goroutine calls them.
//
//	o := reading.Observer()
//	defer o.End()
//	queue.Redrive(ctx, errorqueue.RedriveOptions{Observe: o.See, Observed: o.Whole, Settled: reading.Settled})
type Observer struct {
	reading *Reading // immutable

	mu      sync.Mutex
	current *Snapshot    // of the reading that See tells of; nil if it cannot become a whole one
	read    int          // messages of it
	gone    map[mark]int // what was settled since it began, and how many alike ones
	ended   bool
}

// Observer begins to observe an operation. End it.
func (r *Reading) Observer() *Observer {
	o := &Observer{reading: r}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.ended = r.closed
	if !r.closed {
		r.observers[o] = true
	}
	return o
}

// See is told of each message that a reading of the operation comes to. A reading begins with
// Position 1. The message is not changed. If there is no memory for the reading beside what is
// shown, it is forgotten.
func (o *Observer) See(m *errorqueue.Message) {
	if m.Position == 1 {
		o.begin()
	}
	s := o.expect(m.Position)
	if s == nil {
		return
	}
	own := *m
	if o.reading.store.redacts {
		own = apart(m)
	}
	s.add(&own)    // without a lock: it may drop snapshots
	if !s.rows() { // there is no room beside what is shown
		o.giveUp()
	}
}

// giveUp forgets the reading.
func (o *Observer) giveUp() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget()
}

// begin begins a reading.
func (o *Observer) begin() {
	r := o.reading
	// It takes the Store's lock. What is shown is not dropped for what may never be.
	s := r.store.newSnapshot(r.name, func() bool { return r.store.makeRoomElsewhere(r) || r.makeRoomOlder() })
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget()
	o.current, o.gone = s, map[mark]int{}
	if o.ended {
		o.forget()
	}
}

// expect returns the snapshot to which a message at this place belongs, nil if there is none.
func (o *Observer) expect(position int) *Snapshot {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current == nil {
		return nil
	}
	if o.read++; o.read != position { // it does not tell of all, so it cannot become a whole one
		o.forget()
	}
	return o.current
}

// Whole says that the reading has come to its end: See was told of all messages that the queue had.
// They become the newest Snapshot. A reading that is not followed by Whole is forgotten.
func (o *Observer) Whole() {
	s, gone := o.take()
	if s == nil {
		return
	}
	s.endObserved()
	for k, n := range gone {
		for range n {
			s.settled(k)
		}
	}
	r := o.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		s.drop()
		return
	}
	r.ended, r.depthAt = time.Now(), time.Time{}
	r.passes++
	r.replace(s)
	r.watching.tell(r.newest())
	r.changed()
}

func (o *Observer) take() (*Snapshot, map[mark]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.current
	o.current = nil
	return s, o.gone
}

// End ends the observation. A reading that has not come to its end is forgotten.
func (o *Observer) End() {
	r := o.reading
	r.mu.Lock()
	delete(r.observers, o)
	r.mu.Unlock()
	o.discard()
	r.changed()
}

// settled notes that a message is gone from the queue.
func (o *Observer) settled(k mark) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current != nil {
		o.gone[k]++
	}
}

// discard ends the observation. It takes no lock of the Reading.
func (o *Observer) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.forget()
}

// forget drops what was read of a reading. The caller holds mu.
func (o *Observer) forget() {
	if o.current != nil {
		o.current.drop()
	}
	o.current, o.read = nil, 0
}

// endObserved notes that a reading of an operation is over. How long it took says nothing of a pass,
// because messages were moved meanwhile.
func (s *Snapshot) endObserved() {
	s.end(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took, s.of = 0, s.tally.messages
}

// apart copies a message, so that Redact does not change what an operation moves.
func apart(m *errorqueue.Message) errorqueue.Message {
	own := *m
	own.Body, own.History, own.Deaths = bytes.Clone(m.Body), slices.Clone(m.History), slices.Clone(m.Deaths)
	if m.Headers != nil {
		own.Headers = make(map[string]any, len(m.Headers))
		for k, v := range m.Headers {
			own.Headers[k] = copied(v)
		}
	}
	return own
}

// copied copies the value of a header.
func copied(v any) any {
	switch v := v.(type) {
	case []byte:
		return bytes.Clone(v)
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = copied(v[i])
		}
		return all
	case amqp.Table:
		all := make(amqp.Table, len(v))
		for k := range v {
			all[k] = copied(v[k])
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for k := range v {
			all[k] = copied(v[k])
		}
		return all
	}
	return v
}
