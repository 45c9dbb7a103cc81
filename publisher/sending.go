package publisher

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// sending is one message between begin and its end. The caller who waits for it
// and the pipeline that carries it part ways when the caller's context ends: the
// caller gets an error at once, and the pipeline drops the message when it comes by.
type sending struct {
	env   Envelope
	state atomic.Int32
	done  chan struct{}
	err   error // read it after done

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
func (m *sending) Done() <-chan struct{} { return m.done }
func (m *sending) Err() error {
	select {
	case <-m.done:
		return m.err
	default:
		return nil
	}
}
func (m *sending) MessageID() string { return m.env.MessageId }

// write claims the message for the wire. It is false when its caller has gone.
func (m *sending) write() bool {
	return m.state.CompareAndSwap(waiting, written) || m.state.Load() == written
}

// end settles it once; what comes later is ignored.
func (m *sending) end(err error) {
	if m.state.Swap(ended) != ended {
		m.finish(err)
	}
	if m.unhook != nil {
		m.unhook()
	}
}

// abandon ends it without its fate being known, and says whether it may have been sent.
// Anybody may call it: the caller whose context has ended, the pipeline at its own end.
func (m *sending) abandon(cause error) {
	switch m.state.Swap(ended) {
	case waiting:
		m.finish(fmt.Errorf("not sent: %w", cause))
	case written:
		m.finish(fmt.Errorf("%w: %w", ErrUnconfirmed, cause))
	}
}

func (m *sending) finish(err error) {
	if err != nil {
		m.err = failed(&m.env, err)
	}
	close(m.done)
}

// wait is for the caller: until it is settled, ctx ends, or the pipeline does.
func (m *sending) wait(ctx context.Context, s *Sender) error {
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
