package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// stages are the contexts that Stop ends, in this order: waiting for a session, the handlers, the
// rest.
type stages struct {
	// Immutable.
	base           context.Context // has the values of all; never ends
	connecting     context.Context // ends at the first call of Stop
	stopConnecting context.CancelFunc
	handlers       context.Context // the handlers' parent; ends near the end of Stop's context
	cancelHandlers context.CancelCauseFunc
	hard           context.Context // ends with Stop's context
	cancelHard     context.CancelFunc

	mu                sync.Mutex // guards started and stopping
	started, stopping bool
	stopped           chan struct{} // closed by Consumer.end, when everything has ended
}

// newStages makes contexts that have the values of base.
func newStages(base context.Context) *stages {
	s := &stages{base: base, stopped: make(chan struct{})}
	s.connecting, s.stopConnecting = context.WithCancel(base)
	s.handlers, s.cancelHandlers = context.WithCancelCause(context.WithValue(base, stoppingKey{}, s.connecting.Done()))
	s.hard, s.cancelHard = context.WithCancel(base)
	return s
}

// start returns an error unless it is the first call, before any stop.
func (s *stages) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return errors.New("it was stopped, make a new one")
	case s.started:
		return errors.New("it was started before")
	}
	s.started = true
	return nil
}

// stop returns whether it is the first call, and whether the consumer was started before it.
func (s *stages) stop() (first, started bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, s.stopping = !s.stopping, true
	return first, s.started
}

// Pause stops taking messages and returns at once. Handlers that run go on. Messages that no
// handler has begun go back to the queue for other consumers, and use no attempt. Pause may be
// called before Start, and twice.
func (c *Consumer) Pause() { c.control.update(func(w *wanted) { w.paused = true }) }

// Resume takes messages again after Pause. It returns at once. An Order that pauses the consumer
// stays; see [Consumer.Obey].
func (c *Consumer) Resume() { c.control.update(func(w *wanted) { w.paused = false }) }

// Stop takes no new messages, gives back messages that no handler has begun, and lets running
// handlers finish. In the last quarter of the time until ctx ends, at most 2 s, it cancels their
// contexts, and puts a copy of what they could not finish back into the queue. That uses no
// attempt.
//
// Stop returns nil when everything is settled and every goroutine has ended. If ctx ends first it
// returns an error that says how many workers still run; the broker delivers again what was not
// settled. Stop may be called twice, and before Start.
//
// The log says when a stop begins, how many handlers run, and for how long they may. It names each
// handler that still runs when ctx ends, with its message and for how long it has run. A warning
// says that handlers have less time than Spec.Timeout.
func (c *Consumer) Stop(ctx context.Context) error {
	if have, bounded := timeOf(ctx); bounded && c.works() && !c.spec.patient(have) {
		c.log.Warn(hurry, "timeout", c.spec.Timeout, "handlers_have", have.Round(time.Millisecond))
	}
	return c.stop(ctx)
}

// works returns whether the consumer has begun and does not stop yet.
func (c *Consumer) works() bool { return c.announcer.begun.Load() && !c.control.get().stopping }

// timeOf returns how long handlers have if a stop with this context begins now. It returns false if
// the context has no deadline.
func timeOf(ctx context.Context) (have time.Duration, bounded bool) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return 0, false
	}
	return handlersHave(max(0, time.Until(deadline))), true
}

// stop is Stop without the warning.
func (c *Consumer) stop(ctx context.Context) error {
	have, bounded := timeOf(ctx)
	began, awaited := time.Now(), 0
	if first, started := c.stages.stop(); first {
		if c.announcer.begun.Load() {
			awaited = c.announcer.stops(have, bounded)
		}
		c.control.update(func(w *wanted) { w.stopping = true }) // before handlers are told: see wanted.workers
		c.stages.stopConnecting()
		go c.end(started)
	}
	if bounded && have > 0 {
		timer := time.AfterFunc(have, func() { c.stages.cancelHandlers(ErrStopping) })
		defer timer.Stop()
	}
	select {
	case <-c.stages.stopped:
		c.announcer.stopped(awaited, time.Since(began))
		return nil
	case <-ctx.Done():
		c.stages.cancelHandlers(ErrStopping)
		c.stages.cancelHard()
		select { // handlers that are not stuck end now
		case <-c.stages.stopped:
		case <-time.After(50 * time.Millisecond):
		}
		c.announcer.outlives()
		return fmt.Errorf("consumer %q: stop: %d handlers still run, the broker delivers their messages again: %w",
			c.spec.Name, c.gauges.workers.Load(), context.Cause(ctx))
	}
}

// end waits for each part in turn, and ends it.
func (c *Consumer) end(started bool) {
	defer close(c.stages.stopped)
	if started {
		<-c.supervisor.ran
	}
	c.pool.end()
	c.settler.copying.Wait()
	c.handlers.Stop()
	c.reporter.calls.Stop()
	c.settler.late.Stop()
	c.stages.cancelHandlers(ErrStopping)
	c.stages.cancelHard()
	if c.settler.sending != nil {
		// Waits for the lanes to close their channels, 1 s at most; no copy is on its way any more.
		_ = c.settler.sending.Stop(c.stages.hard)
	}
}
