package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// ErrStopping is the cause of a handler's cancelled context when the consumer stops. context.Cause
// returns it. A handler can say it as well: see Stopping.
var ErrStopping = decide.ErrStopping

// attempt is one run of the handler. It ends once: when the handler returns, or when the watchdog
// finds the handler stuck. With WhenStuck Hold it ends only when the handler returns.
type attempt struct {
	// Immutable once the attempt has begun.
	consumer *Consumer
	delivery *received
	ctx      handlerContext
	worker   *worker
	then     func(*attempt, decide.Ending) // called once, when the attempt ends

	state   atomic.Int32           // running, stuck or returned; the worker and the watchdog write it
	ended   atomic.Bool            // the goroutine that sets it first calls then
	stack   atomic.Pointer[string] // of the handler when it was found to be stuck; the watchdog writes it
	expired chan struct{}          // closed when Expired returns; the watchdog makes it before it sets the state
}

const (
	running int32 = iota
	stuck
	returned
)

// attempt runs the handler in this goroutine and calls then with how the attempt ended. If the
// handler outlives its timeout and grace, the watchdog calls then in another goroutine. If the
// handler calls runtime.Goexit, then is called and attempt does not return.
func (c *Consumer) attempt(ctx context.Context, w *worker, d *received, then func(*attempt, decide.Ending)) {
	a := &d.attempt
	a.consumer, a.delivery, a.worker, a.then = c, d, w, then
	a.ctx.parent, a.ctx.spec, a.ctx.began = ctx, &c.spec, time.Now()
	w.keep(d.facts.Raw.Body)
	seen := d.facts.Delivery(&c.rules) // from now on the watchdog may restore the body
	w.now.Store(a)
	if c.spec.Timeout != NoTimeout {
		c.handlers.Begin(&w.watch, a, a.ctx.began)
	}
	var result Result
	var clean bool
	defer func() {
		w.now.Store(nil)
		e := decide.Ending{Result: result.said}
		if !clean {
			if p := recover(); p != nil {
				e.Panicked = panicError(p)
			} else {
				e.Panicked = errors.New("the handler called runtime.Goexit")
			}
			e.Stack = string(debug.Stack())
		}
		a.finish(e)
		w.forget()
	}()
	result = c.handler(&a.ctx, seen)
	clean = true
}

// finish is called when the handler has returned, panicked or called runtime.Goexit.
func (a *attempt) finish(e decide.Ending) {
	if a.consumer.spec.Timeout != NoTimeout {
		a.consumer.handlers.End(&a.worker.watch)
	}
	now := time.Now()
	e.Duration = now.Sub(a.ctx.began)
	a.worker.quick = e.Duration < quickly
	switch cause := a.ctx.end(now); {
	case errors.Is(cause, decide.ErrTimeout):
		e.TimedOut = true
	case errors.Is(cause, decide.ErrStopping), a.yields(e.Result):
		e.Interrupted = true
	}
	if a.state.Swap(returned) == stuck {
		<-a.expired
		a.consumer.unstuck(a.delivery, e.Duration)
	}
	a.end(e)
}

// yields returns whether the handler has given up because the consumer stops (see Stopping).
func (a *attempt) yields(r decide.Result) bool {
	return r.Verdict == decide.Retry && a.consumer.stages.connecting.Err() != nil && foreign.Is(r.Err, decide.ErrStopping)
}

// Expired is called by the watchdog when the handler still runs after its timeout and its grace.
func (a *attempt) Expired() {
	a.expired = make(chan struct{})
	defer close(a.expired)
	if !a.state.CompareAndSwap(running, stuck) {
		return
	}
	stack := a.worker.stack()
	a.stack.Store(&stack)
	took := time.Since(a.ctx.began)
	a.consumer.stuck(a.delivery, took, stack)
	if a.state.Load() == returned || a.consumer.spec.WhenStuck == Hold {
		return
	}
	a.end(decide.Ending{Stack: stack, TimedOut: true, Duration: took})
}

func (a *attempt) end(e decide.Ending) {
	if !a.ended.CompareAndSwap(false, true) {
		return
	}
	if e.Result.Verdict != decide.Ack || e.Panicked != nil {
		a.restore()
	}
	if a.consumer.lookahead.note(e.Duration, len(a.delivery.facts.Raw.Body)) {
		a.consumer.followLookahead()
	}
	a.then(a, e)
}

// restore undoes what the handler did to the body, or still does if it is stuck: the message is
// retried or parked with the bytes that came.
func (a *attempt) restore() {
	if len(a.worker.body) > 0 {
		a.delivery.facts.Raw.Body = bytes.Clone(a.worker.body)
	}
}

// followLookahead makes the lookahead's decision what is wanted. It reads the decision within the
// update, because another one may just have changed it.
func (c *Consumer) followLookahead() {
	c.control.update(func(w *wanted) { w.ahead = c.lookahead.ahead() })
}

func panicError(p any) error {
	if err, ok := p.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %s", foreign.Panic(p))
}

// stuck reports a handler that does not return. The handler keeps its slot. The gate and the token
// no longer wait for it.
func (c *Consumer) stuck(d *received, after time.Duration, stack string) {
	c.log.Error("handler is stuck", "message_id", d.loggedID(), "attempt", d.facts.Attempt,
		"after", after.Round(time.Millisecond), "held", c.spec.WhenStuck == Hold, "stack", stack)
	c.control.update(func(w *wanted) { w.stuck++ })
	c.pool.release(d)
}

// unstuck reports that a stuck handler has returned after all. Its slot is free again.
func (c *Consumer) unstuck(d *received, after time.Duration) {
	c.log.Warn("stuck handler returned", "message_id", d.loggedID(), "attempt", d.facts.Attempt,
		"after", after.Round(time.Millisecond))
	c.control.update(func(w *wanted) { w.stuck-- })
}
