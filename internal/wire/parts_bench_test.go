package wire

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// someTable returns the headers of a message that was retried once.
func someTable() amqp.Table {
	return amqp.Table{
		"tenant": "acme", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		RetryAttempts: int64(1), Queue: "orders", Reason: "retry", Error: "mail server is down", ErrorGroup: "f00dcafe",
		History: strings.Repeat("x", 200), Host: "host-1", OriginalExchange: "events", OriginalRoutingKey: "order.created",
		"x-death": []any{amqp.Table{"count": int64(1), "queue": "orders-retry-1m", "reason": "expired", "routing-keys": []any{"orders"}}},
	}
}

func BenchmarkSize(b *testing.B) {
	t := someTable()
	b.ReportAllocs()
	for b.Loop() {
		Size(t)
	}
}

func BenchmarkCheck(b *testing.B) {
	t := someTable()
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(t); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeaders(b *testing.B) {
	h := map[string]any{"tenant": "acme", "shard": 7, "tags": []string{"a", "b"}, "weight": 0.5}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Headers(h); err != nil {
			b.Fatal(err)
		}
	}
}
