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
	// Immutable.
	parent context.Context
	spec   *Spec
	began  time.Time // the attempt

	// The handler, goroutines that it has started, and the attempt use what is below.
	mu     sync.Mutex      // guards it
	real   context.Context // nil until it is needed
	cancel context.CancelFunc
	over   bool // the handler has returned
}

var _ context.Context = (*handlerContext)(nil)

func (h *handlerContext) Deadline() (time.Time, bool) {
	d, ok := h.parent.Deadline()
	if own, bounded := h.timeout(); bounded && (!ok || own.Before(d)) {
		return own, true
	}
	return d, ok
}

// timeout returns when the Spec.Timeout is over. It returns false if there is none.
func (h *handlerContext) timeout() (at time.Time, bounded bool) {
	if h.spec.Timeout == NoTimeout {
		return time.Time{}, false
	}
	return h.began.Add(h.spec.Timeout), true
}

func (h *handlerContext) Done() <-chan struct{} { return h.made().Done() }
func (h *handlerContext) Err() error            { return h.made().Err() }

// Value asks the real context. So package context finds the real context behind this one, and needs
// no goroutine to cancel what is derived from it.
func (h *handlerContext) Value(key any) any {
	switch key {
	case specKey{}:
		return h.spec
	case handlerKey{}:
		return h
	}
	return h.made().Value(key)
}

// specKey is the key of the *Spec in a handler's context.
type specKey struct{}

// handlerKey is the key of the *handlerContext itself.
type handlerKey struct{}

// endsWithHandler returns the Spec of the consumer during whose handler ctx ends, because it is the
// handler's context or one with its deadline that was made of it. It returns nil for any other,
// such as one with a deadline of its own of context.WithoutCancel, which is for what outlives a
// handler.
func endsWithHandler(ctx context.Context) *Spec {
	h, _ := ctx.Value(handlerKey{}).(*handlerContext)
	if h == nil {
		return nil
	}
	own, bounded := h.Deadline()
	if other, ok := ctx.Deadline(); ctx != h && !(bounded && ok && other.Equal(own)) {
		return nil
	}
	return h.spec
}

// Concurrency returns the Spec.Concurrency of the consumer whose handler has this context, or one
// that was made of it. It is 0 for any other context. Middleware that has messages wait needs it,
// so that they do not take all slots.
func Concurrency(ctx context.Context) int {
	if s, _ := ctx.Value(specKey{}).(*Spec); s != nil {
		return s.Concurrency
	}
	return 0
}

// Grace returns the Spec.Grace of the consumer whose handler has this context, or one that was made
// of it. It is 0 for any other context. A handler that has a deadline returns within Grace after
// it, or is stuck.
func Grace(ctx context.Context) time.Duration {
	if s, _ := ctx.Value(specKey{}).(*Spec); s != nil {
		return s.Grace
	}
	return 0
}

// Holds returns whether the Spec.WhenStuck of that consumer is Hold. It is false for a context of
// no consumer's handler. What has several messages wait for one function needs it: none of them may
// return before the function does, where the consumer holds messages.
func Holds(ctx context.Context) bool {
	s, _ := ctx.Value(specKey{}).(*Spec)
	return s != nil && s.WhenStuck == Hold
}

// stoppingKey is the key of what Stopping returns.
type stoppingKey struct{}

// Stopping returns a channel that is closed when the consumer begins to stop whose handler has this
// context, or one that was made of it. The context itself ends later, so that handlers can finish.
// A handler that waits, and has nothing to finish, need not go on: if it returns Retry(ErrStopping)
// then, the message counts as interrupted, uses no attempt, and is handled again by another
// process. It is nil, which never gets ready, for a context of no consumer's handler.
func Stopping(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	return c
}

// made returns the real context, and makes it first if need be.
func (h *handlerContext) made() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.real != nil {
		return h.real
	}
	if at, bounded := h.timeout(); bounded {
		h.real, h.cancel = context.WithDeadlineCause(h.parent, at, decide.ErrTimeout)
	} else {
		h.real, h.cancel = context.WithCancel(h.parent)
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
	at, bounded := h.timeout()
	if cause = context.Cause(h.parent); cause == nil && bounded && !time.Now().Before(at) {
		cause = decide.ErrTimeout
	}
	return cause
}
