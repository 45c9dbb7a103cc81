package consumer

import (
	"context"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/acks"
	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// received is a delivery on its way through the consumer.
type received struct {
	facts decide.Facts // immutable once decoded
	from  *channel     // what it must be settled on; nil in Process
	solo  *solo        // set by the guard before it hands the delivery out; nil for all others

	left    atomic.Bool // it is outside the gate again
	attempt attempt     // the run of its handler, once there is one
}

// decode reads a delivery. It takes a pointer, as an amqp.Delivery is large.
func (c *Consumer) decode(raw *amqp.Delivery, from *channel) *received {
	d := &received{from: from}
	decide.Decode(&c.rules, raw, int(c.gauges.lost.Load()), &d.facts)
	return d
}

func (d *received) tag() uint64 { return d.facts.Raw.DeliveryTag }
func (d *received) id() string  { return d.facts.Delivery.MessageID }

// channel is a channel's life, and what was delivered on it. A delivery is settled on its channel or
// not at all: when the channel ends, its unacked deliveries are the broker's again.
type channel struct {
	transport.Channel

	session transport.Session
	acks    *acks.Acks
	ctx     context.Context // ends when the channel is over
	end     context.CancelFunc
}

// openChannel opens a channel of a session. fell is told when one of its deliveries was settled.
func (c *Consumer) openChannel(ctx context.Context, link transport.Session, fell func()) (*channel, error) {
	ch, err := link.Channel(ctx)
	if err != nil {
		return nil, err
	}
	own := &channel{Channel: ch, session: link, acks: acks.New(ch, fell)}
	own.ctx, own.end = context.WithCancel(c.stages.hard)
	return own, nil
}

// close ends the channel, and returns how many acks were dropped with it.
func (ch *channel) close(why string) (dropped int, err error) {
	if !ch.IsClosed() {
		_ = ch.acks.Flush() // if that fails the channel has just ended
		// A request after the last ack: when it is answered the broker has taken that ack. It has a context of
		// its own: a Stop that is out of time must not leave the channel open, and what it holds.
		err = ch.session.Do(context.Background(), why, ch.Close)
	}
	ch.end()
	return ch.acks.End(), err
}
