package consumer

import (
	"bytes"
	"context"
	"runtime"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// worker is a goroutine that runs handlers, one after the other, until the consumer
// stops. There are at most Concurrency of them, started when first needed.
type worker struct {
	id string // of its goroutine, to find its stack
}

// hand gives a delivery to an idle worker, or to a new one. It is false if all are busy.
func (c *Consumer) hand(d *received) bool {
	select {
	case c.jobs <- d:
		return true
	default:
	}
	if int(c.workers.Load()) >= c.spec.Concurrency {
		return false
	}
	c.workers.Add(1)
	c.working.Go(func() { c.work(d) })
	return true
}

// work is a worker's life.
func (c *Consumer) work(d *received) {
	defer func() { // also when a handler calls runtime.Goexit; its place is free for another
		c.workers.Add(-1)
		c.poke()
	}()
	w := &worker{id: goroutineID()}
	for {
		c.handle(w, d)
		select {
		case d = <-c.jobs:
		case <-c.quit:
			return
		}
	}
}

// handle takes one delivery from its handler to its settlement.
func (c *Consumer) handle(w *worker, d *received) {
	defer c.done(d)
	now := time.Now()
	if s := c.notNow(d, now); s != nil {
		c.settle(context.Background(), d, *s, now)
		return
	}
	ctx := c.handlers
	defer func() { // deferred, so that a monitor that calls runtime.Goexit, as t.FailNow does, changes nothing
		if s := c.crashed(d, now); s != nil {
			c.settle(ctx, d, *s, now)
			return
		}
		c.attempt(ctx, w, d, settleEnding)
	}()
	ctx = c.begin(ctx, d)
}

func settleEnding(a *attempt, e ending) {
	now := a.began.Add(e.duration)
	a.consumer.settle(a.ctx.parent, a.delivery, a.consumer.settlement(a.delivery, e, now), now)
}

// notNow is the settlement of a message whose handler is not to run here and now, nil if it is. Most messages have
// neither a time to wait for nor a doubt on them.
func (c *Consumer) notNow(d *received, now time.Time) *Settlement {
	if d.notBefore.IsZero() && d.crashes == 0 {
		return nil
	}
	if s := c.early(d, now); s != nil {
		return s
	}
	if s := c.aside(d, now); s != nil {
		return s
	}
	c.waitFor(d, now)
	return nil
}

// waitFor lets the moment pass that a message is early; see early.
func (c *Consumer) waitFor(d *received, now time.Time) {
	if left := d.notBefore.Sub(now); !d.notBefore.IsZero() && left > 0 {
		backoff.Wait(c.handlers, left)
	}
}

// goroutineID reads the number that stack traces show. It is good for nothing else.
func goroutineID() string {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	if f := bytes.Fields(buf); len(f) > 1 {
		if _, err := strconv.Atoi(string(f[1])); err == nil {
			return string(f[1])
		}
	}
	return ""
}

// stack is what the worker's goroutine does at this moment.
func (w *worker) stack() string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, g := range bytes.Split(buf, []byte("\n\n")) {
		if w != nil && w.id != "" && bytes.HasPrefix(g, []byte("goroutine "+w.id+" ")) {
			return string(g)
		}
	}
	return "the stack was not found among those of all goroutines"
}
