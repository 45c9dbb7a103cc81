package use_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

// BenchmarkParts is what a consumer does for a message whose handler does nothing, without the
// broker: first without any part, then with one. A batch has a benchmark of its own, because it
// needs many messages at once.
func BenchmarkParts(b *testing.B) {
	l := mustLimiter(b, use.Limit{Events: 1e9, Burst: 1e9})
	// An id comes again after so many others that the Memory has forgotten it.
	store, err := use.NewMemory(1 << 15)
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]string, 1<<16)
	for i := range ids {
		ids[i] = "0193f2a6-7c1e-7a5b-9d40-" + strconv.Itoa(100_000_000_000+i)
	}
	type payload struct{ Number int }
	ack := func(context.Context, consumer.Message[payload]) consumer.Result { return consumer.Ack() }
	for _, bb := range []struct {
		name    string
		handler consumer.Handler
		part    consumer.Middleware
	}{
		{"bare", handled, nil},
		{"Rate", handled, use.Rate(l)},
		{"RatePerKey", handled, use.RatePerKey(l, account)},
		{"AtMost", handled, use.AtMost(1, account)},
		{"InPlace", handled, use.InPlace(3, time.Second)},
		{"MaxAge", handled, use.MaxAge(time.Hour)},
		{"Breaker", handled, use.Breaker{}.New()},
		{"TreatAsAck", handled, use.TreatAsAck(func(err error) bool { return errors.Is(err, errors.ErrUnsupported) })},
		{"Dedupe in memory", handled, use.Dedupe(store, time.Hour)},
		{"ByType", use.ByType{"row": handled, "column": handled}.Handler(), nil},
		{"JSON", consumer.JSON(ack), nil},
		{"JSON and PerKey", consumer.JSON(use.PerKey(l, func(m consumer.Message[payload]) string { return m.AppID }, ack)), nil},
	} {
		b.Run(bb.name, func(b *testing.B) {
			spec := consumer.Spec{Queue: "rows", Handler: bb.handler}
			if bb.part != nil {
				spec.Use = []consumer.Middleware{bb.part}
			}
			c, err := consumer.New(nil, spec, monitoring.Nop{}, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			raw := amqp.Delivery{Type: "row", AppId: "account", Timestamp: time.Now(), Body: []byte(`{"Number":7}`)}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				raw.MessageId = ids[n%len(ids)]
				n++
				if s := c.Process(ctx, raw); s.Action != monitoring.Acked {
					b.Fatal(s)
				}
			}
		})
	}
}
