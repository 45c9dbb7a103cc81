package sending

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Message is one message between Begin and its end. Its caller and its carrier part ways when the
// caller's context ends: the caller gets an error at once, and the carrier drops the message when
// it comes to it.
type Message struct {
	env      Envelope  // immutable
	pipeline *Pipeline // immutable
	async    bool      // immutable: nobody waits for it in Wait
	sender   Sender    // immutable: is told of its end; nil unless it was posted

	state atomic.Int32

	mu    sync.Mutex    // guards the next three, and the body of a message that is lent
	known bool          // its fate is, or nobody waits for it any more
	err   error         // what became of it
	done  chan struct{} // nil before somebody asks for it; closed when known is set

	// account is that of its place; nil when the place was given back. It is Begin's, then the
	// collector's while the message is in flight, else its carrier's. order is that of its first
	// write among all, 0 before; it is its carrier's. The carrier is the lane, or the inquiry, that
	// has the message.
	account account
	order   int64

	assigned *assignment // guarded by the router

	// Guarded by the roster.
	isDeserted bool // its caller has gone
	hasLeft    bool
	due        time.Time // when the end of an async message is due; zero is never, or not again
	prev, next *Message  // in a chain of the unwaited
	watch      *watch    // of an async message whose context may end
	mates      mates     // guarded as the watch is
}

// The states of a message. A later one never becomes an earlier one.
const (
	queued  int32 = iota // not written to any socket
	written              // on its way, or its fate is unknown
	ended                // known is set, or about to be
)

// Done is closed when its fate is known, or nobody waits for it any more.
func (m *Message) Done() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.done != nil:
	case m.known:
		m.done = closed
	default:
		m.done = make(chan struct{})
	}
	return m.done
}

// closed is that of each message of which nobody asks before its fate is known.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Err is what became of it, nil before Done.
func (m *Message) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// MessageID is the property of that name.
func (m *Message) MessageID() string { return m.env.MessageId }

// Written says whether it has gone to the socket, or was about to, and its fate is not known yet.
func (m *Message) Written() bool { return m.state.Load() == written }

func (m *Message) key() key { return key{m.env.Exchange, m.env.RoutingKey} }

// claim takes the message for the wire. It is nil when its caller has gone. The bytes of a message
// that is lent are copied: its caller may use them for something else as soon as it has gone.
func (m *Message) claim(to *scratch) *amqp.Publishing {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.state.CompareAndSwap(queued, written) && m.state.Load() != written {
		return nil
	}
	if m.order == 0 {
		m.order = m.pipeline.writes.Add(1)
	}
	if !m.env.Lent {
		return &m.env.Publishing
	}
	return to.copy(&m.env.Publishing)
}

// hasBody says whether this is its body. Nobody may look at what was lent by a caller that has
// gone, and nobody waits for the answer.
func (m *Message) hasBody(body []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.env.Lent && m.state.Load() == ended {
		return true
	}
	return bytes.Equal(m.env.Body, body)
}

// end settles it. The first end wins.
func (m *Message) end(err error) {
	if m.state.Swap(ended) != ended {
		m.finish(err)
	}
}

// abandon ends it without its fate being known, and says whether it may have been sent. Anybody may
// call it: the caller whose context has ended, or the pipeline at its own end.
func (m *Message) abandon(cause error) {
	switch m.state.Swap(ended) {
	case queued:
		m.finish(fmt.Errorf("not sent: %w", cause))
	case written:
		m.finish(fmt.Errorf("%w: %w", ErrUnconfirmed, cause))
	default:
		return
	}
	m.pipeline.roster.desert(m)
}

// finish is called once, by who has set the state. Nobody reads the body of a message that was lent
// when it returns, or afterwards.
func (m *Message) finish(err error) {
	if err != nil {
		err = m.env.Failed(err)
	}
	m.know(err)
	if m.sender != nil {
		m.sender.Ended(err)
	}
}

func (m *Message) know(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.err = true, err
	if m.done != nil {
		close(m.done)
	}
}

// Wait is for the caller: until the message has ended, ctx ends, or the pipeline does.
func (m *Message) Wait(ctx context.Context) error { return m.wait(ctx, time.Time{}) }

// wait is Wait that ends at due, unless that is zero. A timer costs less than a context.
func (m *Message) wait(ctx context.Context, due time.Time) error {
	done := m.Done()
	if isClosed(done) {
		return m.Err()
	}
	var late <-chan time.Time
	if !due.IsZero() {
		timer := m.pipeline.alarm(time.Until(due))
		defer m.pipeline.silence(timer)
		late = timer.C
	}
	select {
	case <-done:
	case <-late:
		m.abandon(m.pipeline.why(overdue(m.pipeline.limit)))
	case <-ctx.Done():
		m.abandon(m.pipeline.because(ctx))
	case <-m.pipeline.ctx.Done():
		m.abandon(ErrClosed)
	}
	<-done // whoever was first is about to close it
	return m.Err()
}
