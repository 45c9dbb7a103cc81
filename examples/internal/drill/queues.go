package drill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Queues looks into the queues of consumers from outside, on a connection of its own.
type Queues struct {
	conn   *connection.Connection
	all    []topology.Queue
	beside []string
}

// NewQueues makes the Queues of these plans. Those beside them are deleted with them, and not
// looked into. It connects at its first use.
func NewQueues(plans []topology.Plan, beside []string, cfg connection.Config, log *slog.Logger) (q Queues, err error) {
	for _, p := range plans {
		t, err := topology.New(p)
		if err != nil {
			return q, err
		}
		q.all = append(q.all, t.Queues...)
	}
	q.beside = beside
	cfg.Name += " (review)"
	q.conn, err = connection.New(cfg, log)
	return q, err
}

// Conn is the connection.
func (q Queues) Conn() *connection.Connection { return q.conn }

// Close closes the connection.
func (q Queues) Close(ctx context.Context) { _ = q.conn.Stop(ctx) } // nothing was published on it

// Reach connects. No run waits longer than 15 s for a broker that is not there.
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

// Look looks into the queues. A queue that is not there is empty. A broker that was killed has a
// minute to come back.
func (q Queues) Look(ctx context.Context) (s State, err error) {
	for until := time.Now().Add(comeback); ; {
		s, err = q.once(ctx)
		if err == nil || time.Now().After(until) {
			return s, err
		}
		if ended := Pause(ctx, Look); ended != nil {
			return s, ended
		}
	}
}

func (q Queues) once(ctx context.Context) (s State, err error) {
	for _, queue := range q.all {
		one, err := q.Count(ctx, queue.Name)
		if err != nil {
			return s, err
		}
		switch queue.Role {
		case topology.RoleError:
			s.Parked += one.Messages
			continue
		case topology.RoleMain:
			s.Consumers += one.Consumers
		}
		s.Waiting += one.Messages
	}
	return s, nil
}

// Count asks for one queue. It is empty if it is not there.
func (q Queues) Count(ctx context.Context, name string) (one amqp.Queue, err error) {
	err = q.With(ctx, func(ch *amqp.Channel) error {
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
		return fmt.Errorf("%s have consumers: another run is going on, or a process of it; -queue-prefix uses other queues", q.main())
	case s.Waiting+s.Parked > 0:
		return fmt.Errorf("%s and those behind them hold %d messages of another run: -fresh deletes them, -queue-prefix uses other queues",
			q.main(), s.Waiting+s.Parked)
	}
	return nil
}

func (q Queues) main() string {
	var names []string
	for _, queue := range q.all {
		if queue.Role == topology.RoleMain {
			names = append(names, queue.Name)
		}
	}
	return strings.Join(names, ", ")
}

// Names are all that Delete deletes.
func (q Queues) Names() (all []string) {
	for _, queue := range q.all {
		all = append(all, queue.Name)
	}
	return append(all, q.beside...)
}

// Delete deletes the queues with what is in them.
func (q Queues) Delete(ctx context.Context) error {
	return q.With(ctx, func(ch *amqp.Channel) error {
		for _, name := range q.Names() {
			if _, err := ch.QueueDelete(name, false, false, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// With lends f a channel that nobody else uses.
func (q Queues) With(ctx context.Context, f func(*amqp.Channel) error) error {
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
