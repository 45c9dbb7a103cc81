package consumer

import (
	"context"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

// handlerContext is the context of one attempt: its parent with a timeout. The real context and its
// timer are made when a method needs them. Most handlers that take microseconds never call such a
// method (BenchmarkAttempt).
type handlerContext struct {
	parent   context.Context // immutable
	deadline time.Time       // immutable; zero is none

	// The handler, goroutines that it has started, and the attempt use what is below.
	mu     sync.Mutex      // guards it
	real   context.Context // nil until it is needed
	cancel context.CancelFunc
	over   bool // the handler has returned
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

// Value asks the real context. So package context finds the real context behind this one, and needs
// no goroutine to cancel what is derived from it.
func (h *handlerContext) Value(key any) any { return h.made().Value(key) }

// made returns the real context, and makes it first if need be.
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

// end cancels the context when the handler has returned. It returns the cause if the context had
// ended before, and nil otherwise.
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
