package consumer

import (
	"context"
	"errors"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// trouble is what it means that a copy could not be placed.
type trouble int

const (
	// passing: the copy can be placed when something else has changed, such as an alarm, the room
	// in a queue, or a permission.
	passing trouble = iota
	// gone: its queue or exchange is missing. The consumer declares it again, if it may.
	gone
	// forGood: the broker takes no message like this, wherever it is to go. The cause is in the
	// message: its size, or a property.
	forGood
)

// troubleOf returns what an error of Send means. What is not known to be for good is passing: a
// message that is held can be settled later, and one that was parked stays in the error queue.
func troubleOf(err error) trouble {
	var refused *sending.RefusedError
	switch {
	case errors.Is(err, sending.ErrUnroutable):
		return gone
	case errors.Is(err, sending.ErrTooLarge):
		return forGood
	case !errors.As(err, &refused):
		return passing
	}
	switch refused.Code {
	case amqp.NotFound:
		return gone
	case amqp.PreconditionFailed:
		// The body's size, for example. A user id is the login's fault: the connection may have
		// gone over to a broker that knows the app by another name, and the next copy is without.
		if strings.Contains(refused.Text, "user_id") {
			return passing
		}
		return forGood
	case amqp.ContentTooLarge, amqp.FrameError, amqp.SyntaxError:
		return forGood
	}
	return passing // 403, for example: somebody may be about to change the permissions
}

// heldEvery is the pause between tries to place the copy of a held message. Somebody may have
// raised the broker's limit. Each try costs a channel, and what is in flight on it goes out twice.
const heldEvery = time.Minute

// place publishes a copy again and again until it is confirmed; err is why it is not yet. placed is
// false when the consuming channel has ended, since the message is the broker's again then.
// Meanwhile the message is held, unacked. If it were given back that would count as a crash, and it
// would be delivered and given back without end. The prefetch is the back-pressure.
//
// If the broker refuses the copy for good, something else may be done about the delivery instead.
// instead is that, and zero otherwise.
func (s *settler) place(c *onWay, err error) (instead decide.Settlement, placed bool) {
	defer c.over()
	d, pause := c.delivery, backoff.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}
	for refusals := 0; err != nil; err = s.sending.Send(d.from.ctx, envelope(c.copy)) {
		if d.from.ctx.Err() != nil {
			return decide.Settlement{}, false
		}
		var large *sending.TooLargeError
		if errors.Is(err, sending.ErrFull) || errors.As(err, &large) && c.copy.Shorten(large.Limit) {
			continue
		}
		wait, why := pause.Next(), troubleOf(err)
		if why != forGood {
			refusals = 0
		}
		switch why {
		case forGood:
			// It was on a channel with others, or the only suspect. What is refused twice in a row
			// is refused for good.
			if refusals++; refusals < 2 {
				break
			}
			if instead = decide.Refused(s.rules, decide.Given{Degraded: s.policies.degraded.Load()}, c.what, err); instead.Deed != decide.DeedHold {
				return instead, false
			}
			c.hold(err)
			wait = heldEvery
		case gone:
			c.because(err)
			s.declarer.again(d.from.ctx, d.from.session)
		case passing:
			c.because(err)
		}
		if !backoff.Wait(d.from.ctx, wait) {
			return decide.Settlement{}, false
		}
	}
	return decide.Settlement{}, true
}

// instead carries out what is done about a delivery whose copy the broker refuses for good. The
// monitor knows nothing yet of a message whose handler did not run.
func (s *settler) instead(ctx context.Context, d *received, what, instead decide.Settlement) {
	if instead.Deed == decide.DeedReject {
		s.log.Warn("the broker refuses the copy of a message, it is rejected to be parked", "message_id", d.loggedID(), "err", instead.Outcome.Err)
	}
	// Deferred, so that it runs even if the monitor's Begin calls runtime.Goexit.
	defer func() {
		if instead.Deed == decide.DeedReject {
			s.byReject(ctx, d, instead) // in this goroutine, which has a copy's place already
			return
		}
		s.settle(ctx, d, instead, time.Now())
	}()
	if what.Outcome.Action == 0 && instead.Outcome.Action != 0 {
		ctx = s.reporter.begin(ctx, d, time.Now())
	}
}

// envelope returns what is sent for a copy.
func envelope(c *decide.Copy) sending.Envelope {
	return sending.Envelope{Exchange: c.To.Exchange, RoutingKey: c.To.RoutingKey, Publishing: c.Publishing}
}
