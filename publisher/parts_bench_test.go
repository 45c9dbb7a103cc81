package publisher_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Benchmarks of those parts of a publish that need no broker: "make bench-parts".

type order struct {
	ID    int64     `json:"id"`
	Items []string  `json:"items"`
	At    time.Time `json:"at"`
}

var someOrder = order{ID: 4711, Items: []string{"lamp", "table", "chair"}, At: time.Unix(1_700_000_000, 0).UTC()}

var someOptions = []publisher.Option{
	publisher.CorrelationID("c-1"), publisher.Type("order.created"),
	publisher.Headers(map[string]any{"tenant": "acme", "shard": 7, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}),
}

func BenchmarkBuild(b *testing.B) {
	for _, bb := range []struct {
		name    string
		payload any
		options []publisher.Option
	}{
		{"256 bytes", make([]byte, 256), nil},
		{"JSON", someOrder, nil},
		{"JSON with headers", someOrder, someOptions},
	} {
		b.Run(bb.name, func(b *testing.B) {
			cfg := publisher.Config{}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cfg.Build("orders", bb.payload, bb.options...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuildBatch(b *testing.B) {
	messages := make([]publisher.Message, 100)
	for i := range messages {
		messages[i] = publisher.Message{RoutingKey: "orders", Payload: fmt.Appendf(nil, "%0256d", i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (publisher.Config{}).BuildBatch(messages...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEnvelope(b *testing.B) {
	env, err := publisher.Config{}.Build("orders", someOrder, someOptions...)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := env.Check(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("size", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			env.PropertiesSize()
		}
	})
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sending.NewID()
	}
}
