package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/topology"
)

// broker is what the exercise does to queues, beside the shop. No app needs it.
type broker struct {
	conn   *amqp.Connection
	ch     *amqp.Channel
	prefix string
}

func dial(url, prefix string) (*broker, error) {
	conn, err := amqp.Dial(cmp.Or(url, "amqp://guest:guest@localhost:5672/"))
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &broker{conn, ch, prefix}, nil
}

func (b *broker) close() { _ = b.conn.Close() }

// forget deletes the queues of an earlier exercise, and the stream of its orders.
func (b *broker) forget() error {
	for _, s := range releases[0].specs(b.prefix, nil) {
		plan, err := s.Plan()
		if err != nil {
			return err
		}
		t, err := topology.New(plan)
		if err != nil {
			return err
		}
		for _, name := range append(t.Names(), s.Queue+"-archive") {
			if _, err := b.ch.QueueDelete(name, false, false, false); err != nil {
				return err
			}
		}
	}
	if _, err := b.ch.QueueDelete(orderStream(b.prefix), false, false, false); err != nil {
		return err
	}
	return b.ch.ExchangeDelete(orderStream(b.prefix), false, false)
}

// wait until the error queues have so many messages.
func (b *broker) wait(ctx context.Context, parked map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for queue, want := range parked {
		for {
			q, err := b.ch.QueueDeclarePassive(b.prefix+queue+"-error", true, false, false, false, nil)
			if err != nil {
				return err
			}
			if q.Messages >= want {
				break
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("%s: %d of %d messages are parked: %w", q.Name, q.Messages, want, ctx.Err())
			}
		}
	}
	return nil
}

// setBack takes what is parked and publishes it again with other times. What it has taken is lost
// if the process dies then: the next start makes it again.
func (b *broker) setBack(ctx context.Context, queue string, now time.Time) error {
	name := b.prefix + queue + "-error"
	var all []amqp.Delivery
	for {
		d, ok, err := b.ch.Get(name, true)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		all = append(all, d)
	}
	aged, err := spread(all, queue, now)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, m := range aged {
		confirm, err := b.ch.PublishWithDeferredConfirmWithContext(ctx, "", name, false, false, m)
		if err != nil {
			return err
		}
		if ok, err := confirm.WaitContext(ctx); !ok {
			return errors.Join(fmt.Errorf("%s: a message is not confirmed", name), err)
		}
	}
	return nil
}
