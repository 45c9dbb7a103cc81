package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// settle carries a Settlement out, on the session that the delivery came from. An ack is
// sent here, with those of others; a copy gets a goroutine of its own, so that no handler waits for
// its confirm. There are never more of them than the prefetch, unless a monitor blocks.
func (c *Consumer) settle(ctx context.Context, d *received, s Settlement, now time.Time) {
	switch {
	case s.GivenBack:
		if d.session.leave(d) {
			c.report(ctx, d, s)
		}
	case s.Action == monitoring.Acked:
		if d.session.ack(d, now) {
			c.report(ctx, d, s)
		}
	default:
		c.settleByCopy(ctx, d, s)
	}
}

func (c *Consumer) settleByCopy(ctx context.Context, d *received, s Settlement) {
	c.copies <- struct{}{}
	c.copying.Go(func() {
		defer func() { <-c.copies }()
		// Ack only after the copy is confirmed. The other way round, a broker that dies between
		// the two has neither the message nor its copy; this way it may have both, and the
		// handler sees the message twice.
		if !c.place(d.session, s.Copy) || !d.session.ack(d, time.Now()) {
			return
		}
		if s.Aside {
			d.session.quarantine.doubt.Store(true)
			c.poke()
		}
		if s.Early || s.Aside {
			return
		}
		c.report(ctx, d, s)
	})
}

// place publishes a copy until it is confirmed, and gives up only when the consuming session
// ends: the message is the broker's again then. A copy that cannot be placed is held,
// unacked: giving it back would count as a crash and spin. The prefetch is the back-pressure.
func (c *Consumer) place(s *session, env *sending.Envelope) bool {
	pause := backoff.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}
	h := &hold{consumer: c, env: env}
	defer h.over()
	late := time.AfterFunc(lateCopy, func() { h.because(c.noConfirm()) })
	defer late.Stop()
	for {
		err := c.sender.Send(s.ctx, *env)
		if err == nil {
			return true
		}
		if s.ctx.Err() != nil {
			return false
		}
		h.because(err)
		if errors.Is(err, publisher.ErrUnroutable) {
			c.repair(s)
		}
		if !backoff.Wait(s.ctx, pause.Next()) {
			return false
		}
	}
}

// repair declares the queues again, when a copy found one missing. One at a time is enough.
func (c *Consumer) repair(s *session) {
	if c.spec.Redeclare == RedeclareOff || !c.repairing.CompareAndSwap(false, true) {
		return
	}
	defer c.repairing.Store(false)
	if err := c.declare(s.ctx, s.link); err != nil {
		c.log.Warn("declare again", "err", err)
	}
}
