package snapshot

import (
	"context"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// load is a whole message that somebody waits for.
type load struct {
	early bool // it was asked for before the pass began; guarded by the lock of the Reading

	done    chan struct{} // closed when the others are set
	message errorqueue.Message
	err     error
}

const mostLoads = 4 // whole messages of a queue that are waited for at once: each may be large

// Load returns a whole message, also one that the spool does not have, or has cut. That takes a
// pass, which all who load at the same time share; its snapshot is like any other. The error is
// ErrUnknown if the message is not in the queue any more, ErrLoads if too many are waited for, what
// ended the pass, or the context's. The pass goes on after the end of ctx.
func (r *Reading) Load(ctx context.Context, mark string) (errorqueue.Message, error) {
	l, err := r.wanting(mark)
	if err != nil {
		return errorqueue.Message{}, err
	}
	select {
	case <-l.done:
		return l.message, l.err
	case <-ctx.Done():
		return errorqueue.Message{}, context.Cause(ctx)
	}
}

// wanting returns the load of a mark, and sees to it that a pass begins.
func (r *Reading) wanting(mark string) (*load, error) {
	defer r.changed()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	l := r.loads[mark]
	if l == nil {
		if len(r.loads) >= mostLoads {
			return nil, ErrLoads
		}
		l = &load{done: make(chan struct{})}
		r.loads[mark] = l
	}
	r.wanted = r.wanted || r.running == nil
	return l, nil
}

// loaded hands a message to who waits for it.
func (r *Reading) loaded(m errorqueue.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loads[m.Mark] != nil {
		r.settle(m.Mark, m, nil)
	}
}

// settle ends a load. The caller holds mu.
func (r *Reading) settle(mark string, m errorqueue.Message, err error) {
	l := r.loads[mark]
	delete(r.loads, mark)
	l.message, l.err = m, err
	close(l.done)
}

// early notes which loads the pass that begins now will find. The caller holds mu.
func (r *Reading) early() {
	for _, l := range r.loads {
		l.early = true
	}
}

// missed ends the loads that a pass has not found. Those that came while it ran need another one.
// The caller holds mu.
func (r *Reading) missed(err error) {
	if err == nil {
		err = ErrUnknown
	}
	for mark, l := range r.loads {
		if l.early {
			r.settle(mark, errorqueue.Message{}, err)
		}
	}
	r.wanted = r.wanted || len(r.loads) > 0
}
