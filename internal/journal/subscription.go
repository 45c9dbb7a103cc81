package journal

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// subscription is a channel of its own that reads the stream. Its reader's goroutine uses it.
type subscription struct {
	session transport.Session
	channel transport.Channel
	in      <-chan amqp.Delivery
	closed  chan *amqp.Error
	unacked int
}

// subscribe reads a stream from an offset: a number, "first" or "last".
func subscribe(ctx context.Context, s transport.Session, stream string, from any) (*subscription, error) {
	ch, err := s.Channel(ctx)
	if err != nil {
		return nil, err
	}
	sub := &subscription{session: s, channel: ch, closed: ch.NotifyClose(make(chan *amqp.Error, 1))}
	opened := make(chan (<-chan amqp.Delivery), 1)
	err = s.Do(ctx, "read a stream", func() error {
		if err := ch.Qos(prefetch, 0, false); err != nil {
			return err
		}
		in, err := ch.Consume(stream, "", false, false, false, false, amqp.Table{"x-stream-offset": from})
		opened <- in
		return err
	})
	if err != nil {
		sub.end()
		return nil, err
	}
	sub.in = <-opened
	return sub, nil
}

// done acks what was seen, many at once.
func (s *subscription) done(d *amqp.Delivery) error {
	if s.unacked++; s.unacked < ackEvery {
		return nil
	}
	s.unacked = 0
	return s.channel.Ack(d.DeliveryTag, true)
}

// why is the reason for which the deliveries ended.
func (s *subscription) why() error {
	select {
	case e := <-s.closed:
		if e != nil {
			return e
		}
	default:
	}
	if err := s.session.Err(); err != nil {
		return err
	}
	return errors.New("the broker has ended the subscription")
}

// end closes the channel. The stream keeps nothing of it.
func (s *subscription) end() { shut(s.session, s.channel) }

// endOf is the offset of the last record; -1 if there is none.
func endOf(ctx context.Context, s transport.Session, stream string) (int64, error) {
	sub, err := subscribe(ctx, s, stream, "last")
	if err != nil {
		return 0, err
	}
	defer sub.end()
	end := int64(-1)
	for {
		select {
		case d, ok := <-sub.in:
			if !ok {
				return 0, sub.why()
			}
			if r, ok := recordOf(&d); ok {
				end = r.Offset
			}
			if err := sub.done(&d); err != nil {
				return 0, err
			}
		case <-time.After(time.Second):
			return end, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}
