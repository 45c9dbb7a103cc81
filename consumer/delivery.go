package consumer

import (
	"context"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/acks"
	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// received is a delivery on its way through the consumer.
type received struct {
	facts decide.Facts // immutable once decoded, but for the body, which who ends the attempt restores
	from  *channel     // the channel on which it must be settled; immutable, nil in Process
	solo  *solo        // set by the guard before a worker has it; nil unless handled alone

	left    atomic.Bool // the gate counts it no more; the worker or the watchdog sets it
	attempt attempt     // the run of its handler, once there is one; see there who writes it
}

// decode reads a delivery. raw is a pointer because an amqp.Delivery is large; it is not kept.
func (c *Consumer) decode(raw *amqp.Delivery, from *channel) *received {
	d := &received{from: from}
	id := ""
	if raw.MessageId == "" { // to draw one takes half a microsecond
		id = sending.NewID()
	}
	decide.Decode(&c.rules, raw, c.survived(raw), id, &d.facts)
	return d
}

// survived returns how many returns of a delivery were no deaths, as far as this process knows.
func (c *Consumer) survived(raw *amqp.Delivery) int {
	switch {
	case c.rules.IsQuarantine(raw):
		return c.gauges.survived.quarantine(returnKey(raw), time.Now())
	case raw.Redelivered:
		return c.gauges.survived.main(time.Now())
	}
	return 0
}

func (d *received) tag() uint64 { return d.facts.Raw.DeliveryTag }

// loggedID returns the message id for the log.
func (d *received) loggedID() string { return foreign.Line(d.facts.MessageID, wire.MaxName) }

// size returns how many bytes the body takes, which may be more than are in it.
func (d *received) size() int { return cap(d.facts.Raw.Body) }

// channel is one AMQP channel of a session, with the acks of what was delivered on it. A delivery
// is settled on its channel or not at all: when the channel ends, its unacked deliveries are the
// broker's again. A channel is immutable, but for the acks and the arrivals, which have rules of
// their own.
type channel struct {
	transport.Channel

	session transport.Session
	fits    int // bytes of headers and properties in a frame
	acks    *acks.Acks
	ctx     context.Context // ends when the channel was closed here, or a stop is out of time
	end     context.CancelFunc

	arrivals arrivals // of its deliveries' copies, to be acked
}

// openChannel opens a channel of a session. fell is called whenever a delivery of the channel was
// settled.
func (c *Consumer) openChannel(ctx context.Context, link transport.Session, fell func()) (*channel, error) {
	ch, err := link.Channel(ctx)
	if err != nil {
		return nil, err
	}
	own := &channel{Channel: ch, session: link, fits: wire.Fits(link.Peer().FrameMax), acks: acks.New(ch, fell)}
	own.ctx, own.end = context.WithCancel(c.stages.hard)
	return own, nil
}

// close ends the channel. It returns how many acks could not be sent any more.
func (ch *channel) close(why string) (dropped int, err error) {
	if !ch.IsClosed() {
		_ = ch.acks.Flush() // an error means that the channel has just ended
		// The broker answers the close after it has taken the last ack. The close has a context of
		// its own, so that a Stop that is out of time does not leave the channel open with what it
		// holds.
		err = ch.session.Do(context.Background(), why, ch.Close)
	}
	ch.end()
	return ch.acks.End(), err
}
