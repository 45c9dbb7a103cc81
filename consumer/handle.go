package consumer

import (
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// handle takes one delivery from its worker to its settlement.
func (c *Consumer) handle(w *worker, d *received) {
	now := time.Now()
	s, decided := decide.Before(&c.rules, &d.facts, c.given(d, now))
	if decided && s.Outcome.Action == 0 { // the handler does not run, and the monitor hears nothing
		c.settler.settle(c.stages.handlers, d, s, now)
		return
	}
	if !decided {
		c.waitFor(d, now)
	}
	ctx := c.stages.handlers
	// Deferred, so that a monitor that calls runtime.Goexit, as t.FailNow does, changes nothing.
	defer func() {
		if decided {
			c.settler.settle(ctx, d, s, now)
			return
		}
		c.attempt(ctx, w, d, settleEnding)
	}()
	ctx = c.reporter.begin(ctx, d)
}

// waitFor lets the moment pass that a message is early; see decide.Moment.
func (c *Consumer) waitFor(d *received, now time.Time) {
	if left := d.facts.NotBefore.Sub(now); !d.facts.NotBefore.IsZero() && left > 0 {
		backoff.Wait(c.stages.handlers, left)
	}
}

// settleEnding is what follows an attempt.
func settleEnding(a *attempt, e decide.Ending) {
	c, now := a.consumer, a.began.Add(e.Duration)
	c.settler.settle(a.ctx.parent, a.delivery, c.after(a.delivery, e, now), now)
}

func (c *Consumer) after(d *received, e decide.Ending, now time.Time) decide.Settlement {
	return decide.After(&c.rules, &d.facts, e, c.given(d, now))
}

// given is what a decision about a delivery needs of the world.
func (c *Consumer) given(d *received, now time.Time) decide.Given {
	g := decide.Given{Now: now}
	if d.from != nil {
		g.User = d.from.session.User()
	}
	if d.id() == "" {
		g.ID = sending.NewID()
	}
	return g
}
