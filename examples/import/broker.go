package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
)

// Broker looks into the queues from outside the app, on a connection of its own.
type Broker struct{ conn *connection.Connection }

// NewBroker makes a Broker. It connects at its first use.
func NewBroker(cfg connection.Config, log *slog.Logger) (Broker, error) {
	cfg.Name += " (review)"
	conn, err := connection.New(cfg, log)
	return Broker{conn}, err
}

// Close closes the connection.
func (b Broker) Close(ctx context.Context) {
	_ = b.conn.Stop(ctx) // nothing was published on it, so nothing can be lost
}

// with lends f a channel that nobody else uses.
func (b Broker) with(ctx context.Context, f func(*amqp.Channel) error) error {
	ch, err := b.conn.Channel(ctx)
	if err != nil {
		return err
	}
	err = f(ch)
	if closing := ch.Close(); err == nil { // after an error the broker has closed the channel
		err = closing
	}
	return err
}

// Lock refuses a second import with the same queues. It declares an exclusive queue, which belongs
// to one connection and ends with it. RabbitMQ 4.3 answers a closing connection before that at
// times, so Lock tries for a second.
func (b Broker) Lock(ctx context.Context, name string) error {
	for until := time.Now().Add(time.Second); ; {
		err := b.with(ctx, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(name, false, true, true, false, nil)
			return err
		})
		if !refusedWith(err, amqp.ResourceLocked) {
			return err
		}
		if time.Now().After(until) {
			return errors.New("another import with this -queue-prefix is running")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Waiting is how many messages wait in the queues together. A queue that is not there is empty.
func (b Broker) Waiting(ctx context.Context, queues ...string) (int, error) {
	sum := 0
	for _, name := range queues {
		var n int
		err := b.with(ctx, func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
			n = q.Messages
			return err
		})
		if refusedWith(err, amqp.NotFound) {
			continue
		} else if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// Read reads what is in a queue and leaves it there. A queue that is not there is empty.
func (b Broker) Read(ctx context.Context, queue string) ([]amqp.Delivery, error) {
	var all []amqp.Delivery
	err := b.with(ctx, func(ch *amqp.Channel) error {
		for {
			d, ok, err := ch.Get(queue, false) // never acked: the broker puts it back when ch closes
			if err != nil || !ok {
				return err
			}
			all = append(all, d)
		}
	})
	if refusedWith(err, amqp.NotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return all, nil
}

// Delete deletes queues with what is in them.
func (b Broker) Delete(ctx context.Context, queues ...string) error {
	return b.with(ctx, func(ch *amqp.Channel) error {
		for _, name := range queues {
			if _, err := ch.QueueDelete(name, false, false, false); err != nil {
				return err
			}
		}
		return nil
	})
}

func refusedWith(err error, code int) bool {
	var refused *amqp.Error
	return errors.As(err, &refused) && refused.Code == code
}
