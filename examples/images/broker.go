package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Broker looks into the queues from outside, on a connection of its own.
type Broker struct {
	conn     *connection.Connection
	exchange string
	main     string
	work     []string // the queues of the work, without the error queue
	all      []string // all queues
}

// NewBroker makes a Broker. It connects at its first use.
func NewBroker(o Options, cfg connection.Config, log *slog.Logger) (Broker, error) {
	work, all, err := names(o)
	if err != nil {
		return Broker{}, err
	}
	cfg.Name += " (review)"
	conn, err := connection.New(cfg, log)
	return Broker{conn, o.Exchange(), o.Queue(), work, all}, err
}

// Close closes the connection.
func (b Broker) Close(ctx context.Context) { _ = b.conn.Stop(ctx) } // nothing was published on it

// Reach connects. No run waits longer than patience for a broker that is not there.
func (b Broker) Reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := b.conn.Ready(ctx); err != nil {
		return fmt.Errorf("the broker: %w", err)
	}
	return nil
}

// State is what is in the queues.
type State struct {
	Waiting   int // messages that will still be handled
	Parked    int
	Consumers int // of the main queue
}

// Look looks into the queues of the work. A queue that is not there is empty.
func (b Broker) Look(ctx context.Context) (s State, err error) {
	for _, name := range append(b.work, topology.ErrorQueue(b.main)) {
		q, err := b.count(ctx, name)
		if err != nil {
			return s, err
		}
		switch name {
		case topology.ErrorQueue(b.main):
			s.Parked = q.Messages
		case b.main:
			s.Consumers = q.Consumers
			s.Waiting += q.Messages
		default:
			s.Waiting += q.Messages
		}
	}
	return s, nil
}

func (b Broker) count(ctx context.Context, name string) (q amqp.Queue, err error) {
	err = b.with(ctx, func(ch *amqp.Channel) error {
		q, err = ch.QueueDeclarePassive(name, false, false, false, false, nil)
		return err
	})
	if refusal := (*amqp.Error)(nil); errors.As(err, &refusal) && refusal.Code == amqp.NotFound {
		return amqp.Queue{}, nil
	}
	return q, err
}

// Vacant says whether the queues are free for a run: nobody uses them, and nothing is in them.
func (b Broker) Vacant(ctx context.Context) error {
	s, err := b.Look(ctx)
	switch {
	case err != nil:
		return err
	case s.Consumers > 0:
		return fmt.Errorf("%s has %d consumers: another run is going on, or a worker; -queue-prefix uses other queues", b.main, s.Consumers)
	case s.Waiting+s.Parked > 0:
		return fmt.Errorf("%s-* hold %d messages of another run: -fresh deletes them, -queue-prefix uses other queues", b.main, s.Waiting+s.Parked)
	}
	return nil
}

// Delete deletes the queues with what is in them, and the exchange.
func (b Broker) Delete(ctx context.Context) error {
	return b.with(ctx, func(ch *amqp.Channel) error {
		for _, name := range b.all {
			if _, err := ch.QueueDelete(name, false, false, false); err != nil {
				return err
			}
		}
		return ch.ExchangeDelete(b.exchange, false, false)
	})
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
