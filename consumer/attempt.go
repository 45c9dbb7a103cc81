package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/consumer/internal/watchdog"
)

// ErrStopping is the cause of a handler's cancelled context when the consumer stops. See
// context.Cause.
var ErrStopping = decide.ErrStopping

// attempt is one run of the handler. It ends once: when the handler returns or, if it does not, when the
// watchdog finds it stuck.
type attempt struct {
	watchdog.Operation

	// Immutable once the attempt has begun.
	consumer *Consumer
	delivery *received
	ctx      handlerContext
	began    time.Time
	worker   *worker
	then     func(*attempt, decide.Ending) // called once

	state    atomic.Int32   // running, stuck or returned; the worker and the watchdog write it
	ended    atomic.Bool    // then was called; who sets it first calls then
	expiring sync.WaitGroup // Expired runs; the worker waits for it before it says that a stuck handler returned
}

const (
	running int32 = iota
	stuck
	returned
)

// attempt runs the handler in this goroutine, and calls then with how it ended: here, or in another
// goroutine if the handler outlives its timeout and grace. If the handler calls runtime.Goexit attempt does
// not return, but then has been called.
func (c *Consumer) attempt(ctx context.Context, w *worker, d *received, then func(*attempt, decide.Ending)) {
	a := &d.attempt
	a.consumer, a.delivery, a.worker, a.then, a.began = c, d, w, then, time.Now()
	a.ctx.parent = ctx
	if c.spec.Timeout != NoTimeout {
		a.ctx.deadline = a.began.Add(c.spec.Timeout)
		c.handlers.Begin(&a.Operation, a, a.began)
	}
	var result Result
	var clean bool
	defer func() {
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
	}()
	result = c.handler(&a.ctx, d.facts.Delivery)
	clean = true
}

// finish is the handler's return, however it came.
func (a *attempt) finish(e decide.Ending) {
	if a.consumer.spec.Timeout != NoTimeout {
		a.consumer.handlers.End(&a.Operation)
	}
	switch cause := a.ctx.end(); {
	case errors.Is(cause, decide.ErrTimeout):
		e.TimedOut = true
	case errors.Is(cause, decide.ErrStopping):
		e.Interrupted = true
	}
	if a.state.Swap(returned) == stuck {
		a.expiring.Wait()
		a.consumer.unstuck(a.delivery, time.Since(a.began))
	}
	a.end(e)
}

// Expired is the watchdog's: the handler had its timeout and its grace, and still runs.
func (a *attempt) Expired() {
	a.expiring.Add(1)
	defer a.expiring.Done()
	if !a.state.CompareAndSwap(running, stuck) {
		return
	}
	stack := a.worker.stack()
	a.consumer.stuck(a.delivery, time.Since(a.began), stack)
	if a.state.Load() == returned || a.consumer.spec.WhenStuck == Hold {
		return
	}
	a.end(decide.Ending{Stack: stack, TimedOut: true})
}

func (a *attempt) end(e decide.Ending) {
	if !a.ended.CompareAndSwap(false, true) {
		return
	}
	e.Duration = time.Since(a.began)
	if ahead, changed := a.consumer.lookahead.note(e.Duration, len(a.delivery.facts.Raw.Body)); changed {
		a.consumer.control.update(func(w *wanted) { w.ahead = ahead })
	}
	a.then(a, e)
}

func panicError(p any) error {
	if err, ok := p.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", p)
}

// stuck makes a handler known that does not return. Its slot stays taken, and nothing waits for it any more.
func (c *Consumer) stuck(d *received, after time.Duration, stack string) {
	c.log.Error("handler is stuck", "message_id", d.id(), "attempt", d.facts.Delivery.Attempt,
		"after", after.Round(time.Millisecond), "held", c.spec.WhenStuck == Hold, "stack", stack)
	c.control.update(func(w *wanted) { w.stuck++ })
	c.pool.leave(d)
	if d.solo != nil {
		d.solo.openGate()
		d.solo.freeToken()
	}
}

func (c *Consumer) unstuck(d *received, after time.Duration) {
	c.log.Warn("stuck handler returned", "message_id", d.id(), "attempt", d.facts.Delivery.Attempt,
		"after", after.Round(time.Millisecond))
	c.control.update(func(w *wanted) { w.stuck-- })
}
