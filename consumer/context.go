package consumer

import (
	"context"
	"sync"
	"time"
)

// handlerContext is the context of one attempt: its parent's, with a timeout. Most handlers that take
// microseconds never look at theirs, so the real one, with its timer, is made when somebody does.
type handlerContext struct {
	parent   context.Context
	deadline time.Time // zero is none

	mu     sync.Mutex
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

// Value asks the real one too: so package context finds it and cancels what is made of this with it.
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
		h.real, h.cancel = context.WithDeadlineCause(h.parent, h.deadline, errTimeout)
	}
	if h.over {
		h.cancel()
	}
	return h.real
}

// end cancels it when the handler has returned, and says what had done so before, if anything had.
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
		cause = errTimeout
	}
	return cause
}
