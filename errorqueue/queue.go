package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/compare"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Queue is an open error queue. It is safe for use by many goroutines at once. Their calls take
// turns, because a call that reads holds the queue's messages until it ends.
type Queue struct {
	// Immutable.
	name string
	main string // "" if unknown
	cfg  Config // resolved
	conn *connection.Connection
	link link // of its own; no header ends its session
	log  *slog.Logger

	turn chan struct{} // holds a token while no call reads

	// replacement makes the copy that takes the place of a message which the queue would drop. Nil
	// is asItIs. Immutable; a migration sets it before the first reading.
	replacement func(*held, taker) envelope
}

// Open connects and checks that the queue exists. It returns ErrNoQueue if not, an error that wraps
// topology.ErrStream if it is a stream, and the connection's errors. The Queue has a TCP connection
// of its own, which Close ends. A nil logger means slog.Default().
func Open(ctx context.Context, conn *connection.Connection, cfg Config, log *slog.Logger) (*Queue, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, fmt.Errorf("errorqueue: %w", err)
	}
	if conn == nil {
		return nil, errors.New("errorqueue: the connection is nil")
	}
	log = applog.First(log)
	q := newQueue(cfg)
	q.conn, q.log = conn, log.With("queue", cfg.ErrorQueue)
	q.link = ownLink(conn, cfg.ErrorQueue)
	if err := q.look(ctx); err != nil {
		q.Close(context.WithoutCancel(ctx))
		return nil, q.failed(err)
	}
	return q, nil
}

func newQueue(cfg Config) *Queue {
	q := &Queue{name: cfg.ErrorQueue, main: cfg.Queue, cfg: cfg, turn: make(chan struct{}, 1)}
	q.turn <- struct{}{}
	return q
}

// beside returns another error queue, which is read over the same TCP connection and with the same
// bounds.
func (q *Queue) beside(main, name string) *Queue {
	other := newQueue(Config{
		Queue: main, ErrorQueue: name,
		Window: q.cfg.Window, HoldFor: q.cfg.HoldFor, DeliveryLimit: q.cfg.DeliveryLimit, Wait: q.cfg.Wait,
	})
	other.conn, other.link, other.log = q.conn, q.link, q.log
	return other
}

// Name is the error queue's name.
func (q *Queue) Name() string { return q.name }

// Close ends the Queue's TCP connection. Messages that a call still holds go back to the queue.
func (q *Queue) Close(ctx context.Context) { q.link.Close(ctx) }

// look returns ErrNoQueue if the queue does not exist, and topology.ErrStream if it is a stream.
func (q *Queue) look(ctx context.Context) error {
	s, err := q.link.Session(ctx)
	if err != nil {
		return err
	}
	if _, err := count(ctx, s, q.name); err != nil {
		if errors.Is(err, errNotFound) {
			return ErrNoQueue
		}
		if !errors.Is(err, errNotAllowed) {
			return err
		}
	}
	// A stream may look empty, so the readers' subscriptions do not always tell.
	err = ask(ctx, s, "ask for the type of the queue", func(ch channel) error { return compare.Consume(ch, q.name) })
	if errors.Is(err, topology.ErrStream) {
		return err
	}
	if own := topology.ErrorQueue(q.name); q.cfg.guessed { // it must not be a main queue
		if _, err := count(ctx, s, own); err == nil {
			return &FieldError{"ErrorQueue", q.name, fmt.Sprintf("the name of an error queue: that may be one, or the main queue of %q", own)}
		}
	}
	return nil
}

// Status describes an error queue without reading it.
type Status struct {
	Queue    string `json:"queue"`          // the error queue
	Main     string `json:"main,omitempty"` // the main queue, "" if unknown
	Messages int    `json:"messages"`       // that no reader holds; -1 if the user may not ask

	// Quarantine is how many messages are in the main queue's quarantine queue. The consumer works
	// with that queue, and this package never touches it. It is -1 if there is no such queue, or if
	// the user may not ask.
	Quarantine int `json:"quarantine"`
}

// Status asks the broker for the queue's state.
func (q *Queue) Status(ctx context.Context) (Status, error) {
	st := Status{Queue: q.name, Main: q.main, Messages: -1, Quarantine: -1}
	s, err := q.link.Session(ctx)
	if err != nil {
		return st, q.failed(err)
	}
	switch st.Messages, err = count(ctx, s, q.name); {
	case errors.Is(err, errNotFound):
		return st, q.failed(ErrNoQueue)
	case err != nil && !errors.Is(err, errNotAllowed):
		return st, q.failed(err)
	}
	if q.main != "" {
		if st.Quarantine, err = count(ctx, s, topology.QuarantineQueue(q.main)); err != nil {
			st.Quarantine = -1
		}
	}
	return st, nil
}

func (q *Queue) failed(err error) error { return fmt.Errorf("errorqueue: queue %q: %w", q.name, err) }
