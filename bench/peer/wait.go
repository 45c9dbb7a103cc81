package peer

import (
	"encoding/binary"
	"sync"
	"time"
)

// waiting holds the queues in which messages wait: those that were declared with x-message-ttl and
// x-dead-letter-routing-key. Their messages are kept until a consumer of the queue with that name
// gets them.
type waiting struct {
	begun time.Time // the due times count from here

	mu     sync.Mutex // guards the fields below, and all that they point to
	queues map[string]*retryQueue
	ends   map[string]*deadEnds // by the queue to which the messages go
	spare  *message             // messages whose memory is used again
}

// retryQueue is one queue in which messages wait.
type retryQueue struct {
	ttl         time.Duration
	death       []byte // the headers that say where a message was; the time is the last eight bytes
	to          *deadEnds
	first, last *message
}

// deadEnds are the retry queues with one target.
type deadEnds struct {
	waiting *waiting
	queues  []*retryQueue
}

// message is one that waits.
type message struct {
	next   *message
	due    time.Duration // after waiting.begun, in whole milliseconds, as RabbitMQ has its TTLs
	header []byte        // the payload of its header frame
	table  extent        // where its headers are, or belong
	body   []byte
}

// extent is a part of a header frame's payload. It is empty if there is nothing.
type extent struct{ from, to int }

// declare processes the arguments of a queue. One without a TTL, or without a target, is of no
// interest: its messages are counted and dropped.
func (w *waiting) declare(name string, arguments map[string]any) {
	ttl, limited := arguments["x-message-ttl"].(int64)
	target, dies := arguments["x-dead-letter-routing-key"].(string)
	if !limited || !dies {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queues[name] != nil {
		return
	}
	q := &retryQueue{ttl: time.Duration(ttl) * time.Millisecond, death: deathIn(name), to: w.endsAt(target)}
	w.queues[name] = q
	q.to.queues = append(q.to.queues, q)
}

// deadEndsAt returns the retry queues whose target is this queue.
func (w *waiting) deadEndsAt(target string) *deadEnds {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.endsAt(target)
}

// endsAt needs the lock.
func (w *waiting) endsAt(target string) *deadEnds {
	to := w.ends[target]
	if to == nil {
		to = &deadEnds{waiting: w}
		w.ends[target] = to
	}
	return to
}

// find returns the retry queue that a message to the default exchange goes to, or nil.
func (w *waiting) find(exchange, key []byte) *retryQueue {
	if len(exchange) > 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queues[string(key)]
}

// blank returns a message without contents.
func (w *waiting) blank() *message {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.spare
	if m == nil {
		return &message{}
	}
	w.spare = m.next
	m.next, m.body = nil, m.body[:0]
	return m
}

// put adds a message, and says whether it is the only one of its queue.
func (q *retryQueue) put(m *message) (only bool) {
	w := q.to.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	m.due = (time.Since(w.begun) + q.ttl).Truncate(time.Millisecond) + time.Millisecond
	only = q.first == nil
	if only {
		q.first = m
	} else {
		q.last.next = m
	}
	q.last = m
	return only
}

// until returns how long the next message waits. It is false if there is none.
func (e *deadEnds) until() (time.Duration, bool) {
	e.waiting.mu.Lock()
	defer e.waiting.mu.Unlock()
	next := e.next()
	if next == nil {
		return 0, false
	}
	return next.first.due - time.Since(e.waiting.begun), true
}

// next returns the queue with the message that is due first, or nil. It needs the lock.
func (e *deadEnds) next() *retryQueue {
	var next *retryQueue
	for _, q := range e.queues {
		if q.first != nil && (next == nil || q.first.due < next.first.due) {
			next = q
		}
	}
	return next
}

// append appends the content of the next message that has waited. It is false if there is none.
func (e *deadEnds) append(b []byte, channel uint16) ([]byte, bool) {
	e.waiting.mu.Lock()
	defer e.waiting.mu.Unlock()
	q := e.next()
	if q == nil || q.first.due > time.Since(e.waiting.begun) {
		return b, false
	}
	m := q.first
	q.first = m.next
	binary.BigEndian.PutUint64(q.death[len(q.death)-8:], uint64(time.Now().Unix()))
	b = m.append(b, channel, q.death)
	m.next, e.waiting.spare = e.waiting.spare, m
	return b, true
}
