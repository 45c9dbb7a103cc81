package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Customer is the message: a record as the old system has it. Its message id is that of MessageID.
type Customer struct {
	ID       int
	Name     string
	Email    string
	Birthday string // as the old system wrote it
}

// MessageID is the same whenever the record is published.
func (c Customer) MessageID() string { return fmt.Sprintf("customer-%d", c.ID) }

// retries has a wait before each retry: three tries.
var retries = []time.Duration{200 * time.Millisecond, 500 * time.Millisecond}

// plan describes the queues. Both programs declare them, so either may be started first.
func plan(o Options) topology.Plan { return topology.Plan{Queue: o.Queue, Delays: retries} }

// declare declares the queues.
func declare(ctx context.Context, conn *connection.Connection, o Options) error {
	t, err := topology.New(plan(o))
	if err != nil {
		return err
	}
	return withChannel(ctx, conn, func(ch *amqp.Channel) error { return t.Declare(ch) })
}

// deleteQueues deletes the queues with what is in them.
func deleteQueues(ctx context.Context, conn *connection.Connection, o Options) error {
	t, err := topology.New(plan(o))
	if err != nil {
		return err
	}
	return withChannel(ctx, conn, func(ch *amqp.Channel) error {
		for _, name := range t.Names() {
			if _, err := ch.QueueDelete(name, false, false, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// Transit is what the queues say of the messages that are still to be imported. AMQP does not
// count those that an importer has in hand.
type Transit struct {
	Waiting   int // in the main queue, the retry queues and quarantine
	Importers int
}

// lookAtQueues counts the messages that will still be handled.
func lookAtQueues(ctx context.Context, conn *connection.Connection, o Options) (s Transit, err error) {
	t, err := topology.New(plan(o))
	if err != nil {
		return s, err
	}
	err = withChannel(ctx, conn, func(ch *amqp.Channel) error {
		for _, q := range t.Queues {
			if q.Role == topology.RoleError {
				continue
			}
			is, err := ch.QueueDeclarePassive(q.Name, false, false, false, false, nil)
			if err != nil {
				return err
			}
			s.Waiting += is.Messages
			if q.Role == topology.RoleMain {
				s.Importers = is.Consumers
			}
		}
		return nil
	})
	return s, err
}

// parked reads the error queue and leaves it as it is. The result has the reasons by message id.
func parked(ctx context.Context, conn *connection.Connection, o Options) (_ map[string]string, err error) {
	q, err := errorqueue.Open(ctx, conn, errorqueue.Config{Queue: o.Queue}, nil)
	if err != nil {
		return nil, err
	}
	defer q.Close(context.WithoutCancel(ctx))
	why := map[string]string{}
	for m, err := range q.List(ctx, errorqueue.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		why[m.ID] = m.Error
	}
	return why, nil
}

// withChannel lends f a channel that nobody else uses.
func withChannel(ctx context.Context, conn *connection.Connection, f func(*amqp.Channel) error) error {
	ch, err := conn.Channel(ctx)
	if err != nil {
		return err
	}
	err = f(ch)
	if closing := ch.Close(); !errors.Is(closing, amqp.ErrClosed) { // the broker closes it after an error
		err = errors.Join(err, closing)
	}
	return err
}
