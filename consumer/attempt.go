package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// ErrStopping is the cause of a handler's cancelled context when the consumer stops. See
// context.Cause.
var ErrStopping = errors.New("consumer: stopping")

// errTimeout is the cause when the handler's time is over.
var errTimeout = fmt.Errorf("the handler ran past its timeout: %w", context.DeadlineExceeded)

// ending is how an attempt ended.
type ending struct {
	result      Result
	panicked    error  // what it panicked with, or that it called runtime.Goexit
	stack       string // of the panic, or of a handler that does not return
	timedOut    bool
	interrupted bool // shutdown cancelled it
	duration    time.Duration
}

// attempt is one run of the handler. It ends once: when the handler returns or, if it
// does not, when the watch gives it up.
type attempt struct {
	underway

	consumer *Consumer
	delivery *received
	ctx      handlerContext
	began    time.Time
	worker   *worker
	then     func(*attempt, ending) // called once, with how it ended
	state    atomic.Int32
	ended    atomic.Bool    // then was called
	watching sync.WaitGroup // the watch is at it; nobody else is before it has found the handler stuck
}

const (
	running int32 = iota
	stuck
	returned
)

// attempt runs the handler in this goroutine, and calls then with how it ended: here,
// or in another goroutine if the handler outlives its timeout and grace. If the handler
// calls runtime.Goexit, attempt does not return, but then has been called.
func (c *Consumer) attempt(ctx context.Context, w *worker, d *received, then func(*attempt, ending)) {
	a := &d.attempt
	a.consumer, a.delivery, a.worker, a.then, a.began = c, d, w, then, time.Now()
	a.ctx.parent = ctx
	if c.spec.Timeout != NoTimeout {
		a.ctx.deadline = a.began.Add(c.spec.Timeout)
		c.handlerPatience.begin(&a.underway, a, a.began)
	}
	var result Result
	var clean bool
	defer func() {
		e := ending{result: result}
		if !clean {
			if p := recover(); p != nil {
				e.panicked = panicError(p)
			} else {
				e.panicked = errors.New("the handler called runtime.Goexit")
			}
			e.stack = string(debug.Stack())
		}
		a.finish(e)
	}()
	result = c.handler(&a.ctx, d.Delivery)
	clean = true
}

// finish is the handler's return, however it came.
func (a *attempt) finish(e ending) {
	if a.consumer.spec.Timeout != NoTimeout {
		a.consumer.handlerPatience.over(&a.underway)
	}
	switch cause := a.ctx.end(); {
	case errors.Is(cause, errTimeout):
		e.timedOut = true
	case errors.Is(cause, ErrStopping):
		e.interrupted = true
	}
	if a.state.Swap(returned) == stuck {
		a.watching.Wait()
		a.consumer.unstuck(a.delivery, time.Since(a.began))
	}
	a.end(e)
}

// ring is the watch: the handler had its timeout and its grace, and still runs.
func (a *attempt) ring() {
	a.watching.Add(1)
	defer a.watching.Done()
	if !a.state.CompareAndSwap(running, stuck) {
		return
	}
	stack := a.worker.stack()
	hold := a.consumer.stuckHandler(a.delivery, time.Since(a.began), stack)
	if a.state.Load() == returned || hold {
		return
	}
	a.end(ending{stack: stack, timedOut: true})
}

func (a *attempt) end(e ending) {
	if a.ended.CompareAndSwap(false, true) {
		e.duration = time.Since(a.began)
		if a.consumer.pace.note(e.duration, len(a.delivery.raw.Body)) {
			a.consumer.poke()
		}
		a.then(a, e)
	}
}

func panicError(p any) error {
	if err, ok := p.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", p)
}

// stuckHandler counts and logs a handler that does not return, and says whether its message is
// held until it does.
func (c *Consumer) stuckHandler(d *received, after time.Duration, stack string) (hold bool) {
	hold = c.spec.WhenStuck == Hold || d.alone
	c.stuck.Add(1)
	c.log.Error("handler is stuck", "message_id", d.MessageID, "attempt", d.Attempt, "after", after.Round(time.Millisecond), "held", hold, "stack", stack)
	c.poke()
	return hold
}

func (c *Consumer) unstuck(d *received, after time.Duration) {
	c.stuck.Add(-1)
	c.log.Warn("stuck handler returned", "message_id", d.MessageID, "attempt", d.Attempt, "after", after.Round(time.Millisecond))
	c.poke()
}
