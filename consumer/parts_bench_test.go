package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

// The parts of what a message costs that need no broker: "make bench-parts".

// retried is a delivery that has come back for its second attempt, with a user's headers and ours.
func retried(b *testing.B) amqp.Delivery {
	b.Helper()
	d := delivery(amqp.Table{"tenant": "acme", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	return back(process(b, spec(func(s *Spec) { s.Handler = returns(Retry(errors.New("mail server is down"))) }), d))
}

func BenchmarkDecode(b *testing.B) {
	c := quiet(b, spec(nil))
	for _, bb := range []struct {
		name string
		raw  amqp.Delivery
	}{{"no headers", delivery(nil)}, {"no id", nameless(nil)}, {"second attempt", retried(b)}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.decode(&bb.raw, nil)
			}
		})
	}
}

func BenchmarkSettlement(b *testing.B) {
	c, now, down := quiet(b, spec(nil)), time.Now(), errors.New("mail server is down")
	first, second := delivery(nil), retried(b)
	for _, bb := range []struct {
		name   string
		raw    *amqp.Delivery
		result Result
	}{
		{"ack", &first, Ack()},
		{"retry", &first, Retry(down)},
		{"retry again", &second, Retry(down)},
		{"park", &first, Error(down)},
		{"park a second attempt", &second, Error(down)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			d := c.decode(bb.raw, nil)
			e := decide.Ending{Result: bb.result.said, Duration: time.Millisecond}
			b.ReportAllocs()
			for b.Loop() {
				c.after(d, e, now)
			}
		})
	}
}

func BenchmarkLookahead(b *testing.B) {
	p := newLookahead(&Spec{Prefetch: 10, Concurrency: 4}, true)
	b.ReportAllocs()
	for b.Loop() {
		p.note(time.Microsecond, 256)
	}
}

// BenchmarkAttempt is what a worker does for a message whose handler does nothing, without the ack.
func BenchmarkAttempt(b *testing.B) {
	c, raw, w := quiet(b, spec(nil)), delivery(nil), &worker{id: goroutineID()}
	b.Cleanup(c.handlers.Stop)
	then := func(a *attempt, e decide.Ending) { c.after(a.delivery, e, time.Now()) }
	b.ReportAllocs()
	for b.Loop() {
		c.attempt(b.Context(), w, c.decode(&raw, nil), then)
	}
}

func BenchmarkProcess(b *testing.B) {
	c, raw := quiet(b, spec(nil)), delivery(nil)
	b.Cleanup(c.handlers.Stop)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		c.Process(ctx, raw)
	}
}
