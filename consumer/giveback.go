package consumer

import (
	"context"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/acks"
	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

// acksOver returns acks.ErrOver for a delivery whose channel has ended, and counts the delivery as
// settled. Otherwise it returns nil.
func acksOver(d *received) error {
	if d.from.ctx.Err() == nil {
		return nil
	}
	_ = d.from.acks.Leave()
	return acks.ErrOver
}

// giveBack returns a delivery that no handler has begun to its queue. Before RabbitMQ 4.3 a nack
// raises the delivery count, and no other process can know who gave the message back. So a message
// that has a count already is given back by a copy, whose count begins anew. Otherwise pauses and
// restarts would make innocent messages look like killers. If the copy is not confirmed in time the
// message is nacked.
func (s *settler) giveBack(d *received) {
	if d.facts.Returned() == 0 || s.rules.Quarantine.Queue == "" || !d.from.session.Peer().NackCounts() {
		s.nack(d)
		return
	}
	now := time.Now()
	given := decide.Given{Now: now, User: d.from.session.User(), Fits: d.from.fits}
	what, ok := decide.GiveBack(s.rules, &d.facts, given)
	if !ok {
		s.nack(d)
		return
	}
	s.run(d, func() {
		// The time limit keeps a broker that takes no messages from holding up a stop.
		ctx, cancel := context.WithTimeout(d.from.ctx, lateCopy)
		defer cancel()
		if s.sending.Send(ctx, envelope(what.Copy)) == nil {
			s.ack(d, time.Now())
			return
		}
		s.nack(d)
	})
}

// nack gives a delivery back as it is.
func (s *settler) nack(d *received) {
	if acksOver(d) == nil {
		_ = d.from.acks.Nack(d.tag()) // an error: the channel has ended, and the message is back
	}
}
