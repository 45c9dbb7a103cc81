package sending

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Message is one message between Begin and its end. Its caller and its carrier part ways when the
// caller's context ends: the caller gets an error at once, and the carrier drops the message when
// it comes to it.
type Message struct {
	env      Envelope  // immutable
	pipeline *Pipeline // immutable
	async    bool      // immutable: nobody waits for it in Wait

	unhook func() bool // from an async caller's context; set before the message has a carrier

	state atomic.Int32
	done  chan struct{} // closed by who ends it
	err   error         // set by who ends it, before done is closed

	// account is that of its place; nil when the place was given back. It is Begin's, then the
	// collector's while the message is in flight, else its carrier's. order is that of its first
	// write among all, 0 before; it is its carrier's. The carrier is the lane, or the inquiry, that
	// has the message.
	account account
	order   int64

	lane *lane // guarded by the router

	// Guarded by the roster.
	isDeserted bool // its caller has gone, and it has not left yet
	hasLeft    bool
}

// The states of a message. A later one never becomes an earlier one.
const (
	queued  int32 = iota // not written to any socket
	written              // on its way, or its fate is unknown
	ended                // done is closed, or about to be
)

// Done is closed when its fate is known, or nobody waits for it any more.
func (m *Message) Done() <-chan struct{} { return m.done }

// Err is what became of it, nil before Done.
func (m *Message) Err() error {
	select {
	case <-m.done:
		return m.err
	default:
		return nil
	}
}

// MessageID is the property of that name.
func (m *Message) MessageID() string { return m.env.MessageId }

// Written says whether it has gone to the socket, or was about to, and its fate is not known yet.
func (m *Message) Written() bool { return m.state.Load() == written }

func (m *Message) key() key { return key{m.env.Exchange, m.env.RoutingKey} }

// claim takes the message for the wire. It is false when its caller has gone.
func (m *Message) claim() bool {
	if !m.state.CompareAndSwap(queued, written) && m.state.Load() != written {
		return false
	}
	if m.order == 0 {
		m.order = m.pipeline.writes.Add(1)
	}
	return true
}

// end settles it. The first end wins.
func (m *Message) end(err error) {
	if m.state.Swap(ended) != ended {
		m.finish(err)
	}
	if m.unhook != nil {
		m.unhook()
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

func (m *Message) finish(err error) {
	if err != nil {
		m.err = m.env.Failed(err)
	}
	close(m.done)
}

// Wait is for the caller: until the message has ended, ctx ends, or the pipeline does.
func (m *Message) Wait(ctx context.Context) error { return m.wait(ctx, time.Time{}) }

// wait is Wait that ends at due, unless that is zero. A timer costs less than a context.
func (m *Message) wait(ctx context.Context, due time.Time) error {
	select {
	case <-m.done:
		return m.err
	default:
	}
	var late <-chan time.Time
	if !due.IsZero() {
		timer := m.pipeline.alarm(time.Until(due))
		defer m.pipeline.silence(timer)
		late = timer.C
	}
	select {
	case <-m.done:
	case <-late:
		m.abandon(m.pipeline.why(overdue(m.pipeline.limit)))
	case <-ctx.Done():
		m.abandon(m.pipeline.because(ctx))
	case <-m.pipeline.ctx.Done():
		m.abandon(ErrClosed)
	}
	<-m.done // whoever was first is about to close it
	return m.err
}
