package consumer

import (
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

// handle decides about one delivery, runs its handler if it is to run, and has it settled. It runs
// in the worker's goroutine.
func (c *Consumer) handle(w *worker, d *received) {
	now := time.Now()
	s, decided := decide.Before(&c.rules, &d.facts, c.given(d, now))
	if decided && s.Outcome.Action == 0 { // the handler does not run; the monitor is told nothing
		c.settler.settle(c.stages.handlers, d, s, now)
		return
	}
	if !decided {
		d.waitFor(now)
	}
	ctx := c.stages.handlers
	// The rest is deferred, so that it runs even if the monitor's Begin calls runtime.Goexit, as
	// t.FailNow does.
	defer func() {
		if decided {
			c.settler.settle(ctx, d, s, now)
			return
		}
		c.attempt(ctx, w, d, settleEnding)
	}()
	ctx = c.reporter.begin(ctx, d)
}

// waitFor waits for a message that is less than decide.Moment early, also if a stop cancels
// handlers meanwhile: no handler may begin early.
func (d *received) waitFor(now time.Time) {
	if left := d.facts.NotBefore().Sub(now); left > 0 {
		time.Sleep(left)
	}
}

// settleEnding decides about an attempt that has ended, and settles its delivery.
func settleEnding(a *attempt, e decide.Ending) {
	c, now := a.consumer, a.ctx.began.Add(e.Duration)
	s := c.after(a.delivery, e, now)
	if s.Stretched > 0 {
		c.announcer.stretched(s, now)
	}
	c.settler.settle(a.ctx.parent, a.delivery, s, now)
}

// after decides about a delivery whose handler has ended.
func (c *Consumer) after(d *received, e decide.Ending, now time.Time) decide.Settlement {
	return decide.After(&c.rules, &d.facts, e, c.given(d, now))
}

// given returns what a decision about a delivery needs to be told: the time, the user and the size
// of a frame.
func (c *Consumer) given(d *received, now time.Time) decide.Given {
	g := decide.Given{Now: now, Degraded: c.settler.policies.degraded.Load()}
	if d.from != nil {
		g.User, g.Fits = d.from.session.User(), d.from.fits
	}
	return g
}
