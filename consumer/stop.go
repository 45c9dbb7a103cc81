package consumer

import (
	"context"
	"fmt"
	"time"
)

// Pause stops taking messages. Handlers that run go on; what no handler has started goes back
// to the queue for other consumers. It may be called before Start, and twice.
func (c *Consumer) Pause() {
	c.paused.Store(true)
	c.poke()
}

// Resume takes messages again.
func (c *Consumer) Resume() {
	c.paused.Store(false)
	c.poke()
}

// Stop takes no new messages, gives back what no handler has started, and lets running
// handlers finish. In the last quarter of ctx, at most 2 s, it cancels their contexts, and puts a
// copy of what they could not finish back into the queue. It returns when all is settled and every
// goroutine has ended, at the latest when ctx ends: then the broker delivers again what was not
// settled. It may be called twice, and before Start.
func (c *Consumer) Stop(ctx context.Context) error {
	c.mu.Lock()
	first := c.stopping.CompareAndSwap(false, true)
	started := c.started
	c.mu.Unlock()
	if first {
		c.stopConnecting()
		c.poke()
		go c.end(started)
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timer := time.AfterFunc(left-min(2*time.Second, left/4), func() { c.cancelHandlers(ErrStopping) })
		defer timer.Stop()
	}
	select {
	case <-c.stopped:
		return nil
	case <-ctx.Done():
		c.cancelHandlers(ErrStopping)
		c.cancelHard()
		select { // what is not stuck ends now
		case <-c.stopped:
		case <-time.After(50 * time.Millisecond):
		}
		return fmt.Errorf("consumer %q: stop: %d handlers still run, the broker delivers their messages again: %w",
			c.spec.Name, c.workers.Load(), context.Cause(ctx))
	}
}

// end waits for each part in turn.
func (c *Consumer) end(started bool) {
	defer close(c.stopped)
	if started {
		<-c.ran
	}
	close(c.quit)
	c.working.Wait()
	c.copying.Wait()
	c.handlerPatience.end()
	c.monitorPatience.end()
	c.cancelHandlers(ErrStopping)
	c.cancelHard()
	if c.sender != nil {
		_ = c.sender.Stop(c.hard) // at once: every copy is confirmed, or its session is over
	}
}
