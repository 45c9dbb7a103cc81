package sending

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// sending is one message between begin and its end. The caller who waits for it
// and the pipeline that carries it part ways when the caller's context ends: the
// caller gets an error at once, and the pipeline drops the message when it comes by.
type Message struct {
	env      Envelope
	pipeline *Pipeline
	state    atomic.Int32
	done     chan struct{}
	err      error // read it after done

	async  bool        // nobody waits for it in wait
	unhook func() bool // an async one from its context

	// The pipeline's own.
	dc transport.Confirmation
}

const (
	waiting int32 = iota // not written to any socket
	written              // on its way, or its fate is unknown
	ended
)

// Done, Err and MessageID make it a Confirmation.
func (m *Message) Done() <-chan struct{} { return m.done }
func (m *Message) Err() error {
	select {
	case <-m.done:
		return m.err
	default:
		return nil
	}
}
func (m *Message) MessageID() string { return m.env.MessageId }

// Written says whether it has gone to the socket, or was about to, and its fate is not known yet.
func (m *Message) Written() bool { return m.state.Load() == written }

// write claims the message for the wire. It is false when its caller has gone.
func (m *Message) write() bool {
	return m.state.CompareAndSwap(waiting, written) || m.state.Load() == written
}

// end settles it once; what comes later is ignored.
func (m *Message) end(err error) {
	if m.state.Swap(ended) != ended {
		m.finish(err)
	}
	if m.unhook != nil {
		m.unhook()
	}
}

// abandon ends it without its fate being known, and says whether it may have been sent.
// Anybody may call it: the caller whose context has ended, the pipeline at its own end.
func (m *Message) abandon(cause error) {
	switch m.state.Swap(ended) {
	case waiting:
		m.finish(fmt.Errorf("not sent: %w", cause))
	case written:
		m.finish(fmt.Errorf("%w: %w", ErrUnconfirmed, cause))
	}
}

func (m *Message) finish(err error) {
	if err != nil {
		m.err = m.env.Failed(err)
	}
	close(m.done)
}

// wait is for the caller: until it is settled, ctx ends, or the pipeline does.
func (m *Message) Wait(ctx context.Context) error {
	s := m.pipeline
	select {
	case <-m.done:
		return m.err
	default:
	}
	select {
	case <-m.done:
	case <-ctx.Done():
		m.abandon(s.because(ctx))
	case <-s.ctx.Done():
		m.abandon(ErrClosed)
	}
	<-m.done // whoever was first is about to close it
	return m.err
}
