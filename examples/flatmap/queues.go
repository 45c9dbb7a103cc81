package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Queues looks into the queues from outside, on a connection of its own.
type Queues struct {
	conn   *connection.Connection
	main   []string // of the consumers
	all    []string // with those beside them
	stream string
}

// NewQueues makes a Queues. It connects at its first use.
func NewQueues(o Options, cfg connection.Config, log *slog.Logger) (Queues, error) {
	names, err := names(o)
	if err != nil {
		return Queues{}, err
	}
	cfg.Name += " (review)"
	conn, err := connection.New(cfg, log)
	return Queues{conn, []string{o.AccountsQueue(), o.TransactionsQueue(), o.RowsQueue()}, names, o.Stream()}, err
}

// names are the queues that the consumers declare. The app is made and not started, so what it has
// made has nothing to close but the database.
func names(o Options) (all []string, err error) {
	db, err := open(o.DB)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // nothing has used it
	tell := Teller(func(string, string) {})
	plans, err := consumer.Plans(app(o, connection.Config{}, tell, slog.New(slog.DiscardHandler)), fx.Replace(db))
	for _, p := range plans {
		t, err := topology.New(p)
		if err != nil {
			return nil, err
		}
		all = append(all, t.Names()...)
	}
	return all, err
}

// Close closes the connection.
func (q Queues) Close(ctx context.Context) { _ = q.conn.Stop(ctx) } // nothing was published on it

// Reach connects. No run waits longer than patience for a broker that is not there.
func (q Queues) Reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := q.conn.Ready(ctx); err != nil {
		return fmt.Errorf("the broker: %w", err)
	}
	return nil
}

// State is what is in the queues.
type State struct {
	Waiting   int // messages that will still be handled
	Parked    int
	Consumers int // of the main queues
}

// Look looks into the queues. A queue that is not there is empty. A broker that was killed comes
// back.
func (q Queues) Look(ctx context.Context) (s State, err error) {
	for until := time.Now().Add(enough); ; {
		s, err = q.once(ctx)
		if err == nil || time.Now().After(until) {
			return s, err
		}
		if ended := pause(ctx, look); ended != nil {
			return s, ended
		}
	}
}

func (q Queues) once(ctx context.Context) (s State, err error) {
	for _, name := range q.all {
		one, err := q.count(ctx, name)
		if err != nil {
			return s, err
		}
		switch {
		case slices.ContainsFunc(q.main, func(main string) bool { return name == topology.ErrorQueue(main) }):
			s.Parked += one.Messages
		case slices.Contains(q.main, name):
			s.Consumers += one.Consumers
			s.Waiting += one.Messages
		default:
			s.Waiting += one.Messages
		}
	}
	return s, nil
}

func (q Queues) count(ctx context.Context, name string) (one amqp.Queue, err error) {
	err = q.with(ctx, func(ch *amqp.Channel) error {
		one, err = ch.QueueDeclarePassive(name, false, false, false, false, nil)
		return err
	})
	if refusal := (*amqp.Error)(nil); errors.As(err, &refusal) && refusal.Code == amqp.NotFound {
		return amqp.Queue{}, nil
	}
	return one, err
}

// Vacant says whether the queues are free for a run: nobody uses them, and nothing is in them.
func (q Queues) Vacant(ctx context.Context) error {
	s, err := q.Look(ctx)
	switch {
	case err != nil:
		return err
	case s.Consumers > 0:
		return fmt.Errorf("%s has consumers: another run is going on, or a worker; -queue-prefix uses other queues", q.main[0])
	case s.Waiting+s.Parked > 0:
		return fmt.Errorf("%s and those behind it hold %d messages of another run: -fresh deletes them, -queue-prefix uses other queues",
			q.main[0], s.Waiting+s.Parked)
	}
	return nil
}

// Delete deletes the queues and the stream, with what is in them.
func (q Queues) Delete(ctx context.Context) error {
	return q.with(ctx, func(ch *amqp.Channel) error {
		for _, name := range append([]string{q.stream}, q.all...) {
			if _, err := ch.QueueDelete(name, false, false, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// with lends f a channel that nobody else uses.
func (q Queues) with(ctx context.Context, f func(*amqp.Channel) error) error {
	ch, err := q.conn.Channel(ctx)
	if err != nil {
		return err
	}
	err = f(ch)
	if closing := ch.Close(); err == nil { // after an error the broker has closed the channel
		err = closing
	}
	return err
}
