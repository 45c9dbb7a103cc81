package errorqueue

import (
	"errors"
	"log/slog"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// A stream that has messages looks empty to a client for some seconds, and delivers only what comes
// later.
func TestAStreamIsNotReadAsAnErrorQueue(t *testing.T) {
	queue := amqptest.Queue(t, "stream")
	name := topology.ErrorQueue(queue)
	if _, err := amqptest.Channel(t).QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "stream"}); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", name, amqp.Publishing{Body: []byte("stays")})
	q, err := Open(t.Context(), connecttest.New(t, connection.Config{}), Config{Queue: queue}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, topology.ErrStream) {
		t.Errorf("got %v, want that it is a stream", err)
	}
	if err == nil {
		q.Close(t.Context())
	}
}

// The queue may become a stream while it is open.
func TestAQueueThatHasBecomeAStreamIsNotRead(t *testing.T) {
	queue := declare(t, topology.Quorum)
	q := open(t, Config{Queue: queue})
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDelete(q.Name(), false, false, false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(q.Name(), true, false, false, false, amqp.Table{"x-queue-type": "stream"}); err != nil {
		t.Fatal(err)
	}
	s, err := q.link.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := hold{session: s, queue: q.Name()}
	if _, err := h.window(t.Context(), 10); !errors.Is(err, topology.ErrStream) {
		t.Errorf("got %v, want that it is a stream", err)
	}
}
