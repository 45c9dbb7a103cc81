package redis_test

import (
	"log/slog"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// ladderQueue names a queue whose consumer has topology.Ladder.
func ladderQueue(t *testing.T, prefix string) string {
	t.Helper()
	return amqptest.Queue(t, prefix, "-retry-15s", "-retry-5m", "-retry-15m", "-retry-6h", "-retry-24h", "-retry-1d")
}

// publish publishes n messages with the ids of id, beginning with that of from.
func publish(t *testing.T, queue string, from, n int) {
	t.Helper()
	pub, err := publisher.New(connecttest.New(t, connection.Config{}), publisher.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]publisher.Message, n)
	for i := range batch {
		batch[i] = publisher.Message{RoutingKey: queue, Payload: from + i, Options: []publisher.Option{publisher.MessageID(id(from + i))}}
	}
	if err := pub.PublishBatch(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	if err := pub.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
