package outbox_test

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// simulated runs a test with SQLite and a broker in memory, in simulated time.
func simulated(t *testing.T, test func(t *testing.T, s *simulation)) {
	t.Helper()
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		s := &simulation{t: t, broker: b, db: sqlite(t)}
		defer func() { _ = s.db.Close() }() // its goroutine belongs to the bubble
		s.box = newBox(t, s.db, outbox.SQLite)
		test(t, s)
	})
}

type simulation struct {
	t      *testing.T
	broker *brokertest.Broker
	db     *sql.DB
	box    *outbox.Box
}

// declare declares queues.
func (s *simulation) declare(queues ...string) {
	s.t.Helper()
	ch := s.channel()
	for _, q := range queues {
		if _, err := ch.QueueDeclare(q, true, false, false, false, nil); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := ch.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// channel opens a channel of the test's own.
func (s *simulation) channel() interface {
	QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error)
	Get(queue string, autoAck bool) (amqp.Delivery, bool, error)
	Close() error
} {
	s.t.Helper()
	session, err := s.broker.Connection().Transport().Consuming().Session(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	ch, err := session.Channel(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return ch
}

// got takes what is in a queue.
func (s *simulation) got(queue string) (all []amqp.Delivery) {
	s.t.Helper()
	ch := s.channel()
	defer func() { _ = ch.Close() }()
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			s.t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

// ids are those of what is in a queue.
func (s *simulation) ids(queue string) string {
	s.t.Helper()
	return idsOf(s.got(queue))
}

func idsOf(all []amqp.Delivery) string {
	ids := make([]string, len(all))
	for i, d := range all {
		ids[i] = d.MessageId
	}
	return strings.Join(ids, " ")
}

// relay starts a relay, which the test stops.
func (s *simulation) relay(cfg outbox.RelayConfig) *outbox.Relay {
	s.t.Helper()
	return startRelay(s.t, s.box, s.broker.Connection(), cfg)
}

func startRelay(t *testing.T, box *outbox.Box, conn *connection.Connection, cfg outbox.RelayConfig) *outbox.Relay {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := outbox.NewRelay(box, conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func stopRelay(t *testing.T, r *outbox.Relay) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// put puts messages for a queue, each with its id and these options.
func (s *simulation) put(queue string, ids []string, opts ...publisher.Option) {
	s.t.Helper()
	put(s.t, s.box, s.db, queue, ids, opts...)
}

func put(t testing.TB, box *outbox.Box, db *sql.DB, queue string, ids []string, opts ...publisher.Option) {
	t.Helper()
	inTx(t, db, func(tx *sql.Tx) error {
		for _, id := range ids {
			if err := box.Put(t.Context(), tx, queue, id, append([]publisher.Option{outbox.ID(id)}, opts...)...); err != nil {
				return err
			}
		}
		return nil
	})
}
