package consumer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/consumer/internal/watchdog"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// settler carries settlements out. Its methods may be called from any goroutine.
type settler struct {
	// Immutable.
	rules    *decide.Rules
	sending  *sending.Pipeline // sends copies; nil without a connection
	conn     transport.Connection
	declarer *declarer
	policies *policies
	reporter *reporter
	gauges   *gauges
	asides   signal  // wakes the guard: a message was set aside
	turns    *inTurn // nil where the next message need not wait for a copy
	log      *slog.Logger

	late watchdog.Watchdog // watches the copies on their way

	// copies has a place for each copy on its way, until the monitor was told of it too: the ack
	// has let the broker deliver more. Unbounded, a blocked monitor would pile them up.
	copies  chan struct{}
	copying sync.WaitGroup // copies on their way, with their reports; Stop waits for them
}

// settle carries a Settlement out on the channel that the delivery came from, and then tells the
// monitor. An ack is sent together with others. A copy is on its way when settle returns, so that
// no handler waits for its confirm. A reject gets a goroutine. There are at most as many of both as
// the largest prefetch and the Concurrency together.
func (s *settler) settle(ctx context.Context, d *received, what decide.Settlement, now time.Time) {
	switch what.Deed {
	case decide.DeedAck:
		if s.ack(d, now) {
			s.reporter.end(ctx, d, what)
		}
	case decide.DeedReject:
		s.run(d, func() { s.byReject(ctx, d, what) })
	case decide.DeedLeave:
		if s.leave(d, what) {
			s.reporter.end(ctx, d, what)
		}
	case decide.DeedHold:
		s.holdUnread(d)
	case decide.DeedCopy:
		s.byCopy(ctx, d, what)
	}
}

// enter takes a place for a copy, or a reject, that Stop waits for. It waits until one is free. The
// gate does not stay closed for that.
func (s *settler) enter(d *received) {
	select {
	case s.copies <- struct{}{}:
	default:
		d.settled()
		s.copies <- struct{}{}
	}
	s.turns.begin()
	s.copying.Add(1)
}

// exit gives back what enter has taken.
func (s *settler) exit() {
	s.turns.end()
	<-s.copies
	s.copying.Done()
}

// run runs f in a goroutine, in a place.
func (s *settler) run(d *received, f func()) {
	s.enter(d)
	go func() {
		defer s.exit()
		f()
	}()
}

// byCopy sends a copy, whose confirm will have the delivery acked.
func (s *settler) byCopy(ctx context.Context, d *received, what decide.Settlement) {
	s.enter(d)
	c := &onWay{blockedCopy: blockedCopy{settler: s, delivery: d, copy: what.Copy}, ctx: ctx, what: what}
	s.late.Begin(&c.Operation, c, time.Now())
	s.sending.Post(d.from.ctx, envelope(what.Copy), c)
}

// byReject has the broker dead-letter a delivery as it is.
func (s *settler) byReject(ctx context.Context, d *received, what decide.Settlement) {
	s.declarer.sure(d.from.ctx, d.from.session)
	if s.reject(d) {
		s.reporter.end(ctx, d, what)
	}
}

// ack acknowledges a delivery on the channel that it came from, and returns whether it did. If that
// channel has ended, the delivery is the broker's again, and the ack is dropped and counted. An ack
// is never sent on another channel, where its tag may be another message's.
func (s *settler) ack(d *received, now time.Time) bool {
	defer d.settled()
	err := acksOver(d)
	switch {
	case err != nil:
	case d.solo != nil: // at once, or it would be blamed if the process died a moment later
		err = d.from.acks.AckNow(d.tag())
	default:
		err = d.from.acks.Ack(d.tag(), now)
	}
	return s.took(d, err)
}

// reject lets the broker dead-letter a message as it is. It returns whether the message was
// rejected.
func (s *settler) reject(d *received) bool {
	defer d.settled()
	err := acksOver(d)
	if err == nil {
		err = d.from.acks.Reject(d.tag())
	}
	return s.took(d, err)
}

// took returns whether err is nil, and counts a dropped ack otherwise.
func (s *settler) took(d *received, err error) bool {
	if err == nil {
		return true
	}
	s.gauges.stale.Add(1)
	s.log.Info("session ended before the ack, the broker delivers the message again", "message_id", d.loggedID(), "err", err)
	return false
}

// leave keeps a delivery unacked until its channel is closed, which is soon: the consumer stops,
// and the message was interrupted. The queue then has the message in its place. leave returns
// whether the monitor is to be told.
func (s *settler) leave(d *received, what decide.Settlement) bool {
	defer d.settled()
	_ = d.from.acks.Leave()
	return d.from.ctx.Err() == nil && what.Outcome.Action != 0
}

// holdUnread holds a message that the client cannot read, and that the broker could lose on its way
// to the error queue, until the session ends.
func (s *settler) holdUnread(d *received) {
	release := s.hold(d, decide.ErrUnread)
	s.log.Error("a message cannot be read and is held: its queue does not dead-letter at least once",
		"queue", s.rules.Queue, "message_id", d.loggedID(), "delivery_tag", d.tag())
	s.copying.Go(func() {
		<-d.from.ctx.Done()
		release()
	})
}

// settled lets the gate open if the message was handled alone.
func (d *received) settled() {
	if d.solo != nil {
		d.solo.openGate()
	}
}
