package consumer

import (
	"context"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

// handlerContext is the context of one attempt: its parent's, with a timeout. The real context, with its
// timer, is made when somebody looks: most handlers that take microseconds never do (BenchmarkAttempt).
type handlerContext struct {
	parent   context.Context // immutable
	deadline time.Time       // immutable; zero is none

	mu     sync.Mutex // guards what is below; the handler, what it has started, and the attempt use it
	real   context.Context
	cancel context.CancelFunc
	over   bool
}

var _ context.Context = (*handlerContext)(nil)

func (h *handlerContext) Deadline() (time.Time, bool) {
	d, ok := h.parent.Deadline()
	if !h.deadline.IsZero() && (!ok || h.deadline.Before(d)) {
		return h.deadline, true
	}
	return d, ok
}

func (h *handlerContext) Done() <-chan struct{} { return h.made().Done() }
func (h *handlerContext) Err() error            { return h.made().Err() }

// Value asks the real context: so package context finds it, and cancels what is derived from this one
// without a goroutine.
func (h *handlerContext) Value(key any) any { return h.made().Value(key) }

func (h *handlerContext) made() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.real != nil {
		return h.real
	}
	if h.deadline.IsZero() {
		h.real, h.cancel = context.WithCancel(h.parent)
	} else {
		h.real, h.cancel = context.WithDeadlineCause(h.parent, h.deadline, decide.ErrTimeout)
	}
	if h.over {
		h.cancel()
	}
	return h.real
}

// end cancels the context when the handler has returned. It returns why it was cancelled before, nil
// if it was not.
func (h *handlerContext) end() (cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	if h.real != nil {
		cause = context.Cause(h.real)
		h.cancel()
		return cause
	}
	if cause = context.Cause(h.parent); cause == nil && !h.deadline.IsZero() && !time.Now().Before(h.deadline) {
		cause = decide.ErrTimeout
	}
	return cause
}
