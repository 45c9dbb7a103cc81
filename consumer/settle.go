package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// settler carries settlements out. Its methods may be called from any goroutine.
type settler struct {
	// Immutable.
	rules    *decide.Rules
	sending  *sending.Pipeline // of copies; nil in Process
	conn     transport.Connection
	declarer *declarer
	reporter *reporter
	gauges   *gauges
	asides   signal // set when a message was set aside
	log      *slog.Logger

	copies  chan struct{}  // a token for each copy on its way: a monitor that blocks must not pile them up
	copying sync.WaitGroup // copies on their way and their reports; Stop waits for them
}

// settle carries a Settlement out, on the channel that the delivery came from. An ack is sent here, with
// those of others. A copy gets a goroutine of its own, so that no handler waits for its confirm: there
// are never more of them than the prefetch and the Concurrency.
func (s *settler) settle(ctx context.Context, d *received, what decide.Settlement, now time.Time) {
	switch what.Deed {
	case decide.DeedAck:
		if s.ack(d, now) {
			s.reporter.end(ctx, d, what)
		}
	case decide.DeedReject:
		if s.reject(d) {
			s.reporter.end(ctx, d, what)
		}
	case decide.DeedLeave:
		if s.leave(d, what) {
			s.reporter.end(ctx, d, what)
		}
	case decide.DeedCopy:
		s.copy(func() { s.byCopy(ctx, d, what) })
	}
}

// copy runs f in a goroutine that Stop waits for.
func (s *settler) copy(f func()) {
	s.copies <- struct{}{}
	s.copying.Go(func() {
		defer func() { <-s.copies }()
		f()
	})
}

func (s *settler) byCopy(ctx context.Context, d *received, what decide.Settlement) {
	// Ack only after the copy is confirmed. The other way round, a broker that dies between the two has
	// neither the message nor its copy; this way it may have both, and the handler sees the message twice.
	if !s.place(d, what.Copy) || !s.ack(d, time.Now()) {
		return
	}
	if what.Copy.To == s.rules.Quarantine && d.solo == nil {
		s.log.Warn("a message came back without an end, it will be handled alone", "message_id", d.id(), "times", d.facts.Returns)
		s.asides.set()
	}
	s.reporter.end(ctx, d, what)
}

// place publishes a copy until it is confirmed. It gives up only when the consuming channel ends: the
// message is the broker's again then. Meanwhile the message is held, unacked: to give it back would
// count as a crash, and spin. The prefetch is the back-pressure.
func (s *settler) place(d *received, c *decide.Copy) bool {
	pause := backoff.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}
	b := &blockedCopy{settler: s, delivery: d, copy: c}
	defer b.over()
	late := time.AfterFunc(lateCopy, func() { b.because(s.noConfirm()) })
	defer late.Stop()
	for {
		err := s.sending.Send(d.from.ctx, envelope(c))
		if err == nil {
			return true
		}
		if d.from.ctx.Err() != nil {
			return false
		}
		b.because(err)
		if missing(err) {
			s.declarer.again(d.from.ctx, d.from.session)
		}
		if !backoff.Wait(d.from.ctx, pause.Next()) {
			return false
		}
	}
}

// missing says whether a copy found no queue, or no exchange.
func missing(err error) bool {
	var refused *sending.RefusedError
	return errors.Is(err, sending.ErrUnroutable) || errors.As(err, &refused) && refused.Code == amqp.NotFound
}

func envelope(c *decide.Copy) sending.Envelope {
	return sending.Envelope{Exchange: c.To.Exchange, RoutingKey: c.To.RoutingKey, Publishing: c.Publishing}
}

// ack acknowledges a delivery on the channel that it came from, and says whether it did. A delivery
// whose channel has ended is the broker's again: its ack is dropped and counted. It is never sent on
// another channel, where its tag is another message's.
func (s *settler) ack(d *received, now time.Time) bool {
	defer d.settled()
	err := acksOver(d)
	switch {
	case err != nil:
	case d.solo != nil: // the broker counts who died over it; it must not count who died soon after
		err = d.from.acks.AckNow(d.tag())
	default:
		err = d.from.acks.Ack(d.tag(), now)
	}
	return s.took(d, err)
}

// reject lets the broker dead-letter a message whole.
func (s *settler) reject(d *received) bool {
	defer d.settled()
	err := acksOver(d)
	if err == nil {
		err = d.from.acks.Reject(d.tag())
	}
	return s.took(d, err)
}

// took counts an ack that came too late.
func (s *settler) took(d *received, err error) bool {
	if err == nil {
		return true
	}
	s.gauges.stale.Add(1)
	s.log.Info("session ended before the ack, the broker delivers the message again", "message_id", d.id(), "err", err)
	return false
}

// leave keeps a delivery unacked until its channel is closed. For an interrupted one that follows at once, and the queue
// then has it back in its place. A message that the client cannot read stays until the session ends.
func (s *settler) leave(d *received, what decide.Settlement) bool {
	defer d.settled()
	if d.facts.Unread {
		s.holdUnread(d)
		return false
	}
	_ = d.from.acks.Leave()
	return d.from.ctx.Err() == nil && what.Outcome.Action != 0
}

// settled opens the gate behind a message that was handled alone.
func (d *received) settled() {
	if d.solo != nil {
		d.solo.openGate()
	}
}
