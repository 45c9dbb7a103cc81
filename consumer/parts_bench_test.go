package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
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
	}{{"no headers", delivery(nil)}, {"second attempt", retried(b)}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.decodeAt(&bb.raw)
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
			d := c.decodeAt(bb.raw)
			e := ending{result: bb.result, duration: time.Millisecond}
			b.ReportAllocs()
			for b.Loop() {
				c.settlement(d, e, now)
			}
		})
	}
}

// acked takes acks, and does nothing about them.
type acked struct{ transport.Channel }

func (acked) Ack(uint64, bool) error { return nil }

func BenchmarkAcker(b *testing.B) {
	for _, bb := range []struct {
		name     string
		prefetch int
		gap      uint64        // of as many deliveries, the first is finished last
		age      time.Duration // of what is finished
	}{
		{"unbroken", 300, 1, 0},
		{"behind a gap", 300, 250, 0},
		{"behind a long gap", 300, 100_000, ackDelay}, // singly, as they are old enough
		{"prefetch 1", 1, 1, 0},
	} {
		b.Run(bb.name, func(b *testing.B) {
			a, tag := gathering(acked{}, bb.prefetch, 16), uint64(0)
			b.Cleanup(func() { a.end() })
			b.ReportAllocs()
			for b.Loop() {
				tag++
				finished := tag + 1
				if tag%bb.gap == 0 {
					finished = tag + 1 - bb.gap
				}
				if err := a.ack(finished, time.Now().Add(-bb.age)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPace(b *testing.B) {
	var p pace
	p.set(&Spec{Prefetch: 10, Concurrency: 4}, true)
	b.ReportAllocs()
	for b.Loop() {
		p.note(time.Microsecond, 256)
	}
}

// BenchmarkAttempt is what a worker does for a message whose handler does nothing, without the ack.
func BenchmarkAttempt(b *testing.B) {
	c, raw, w := quiet(b, spec(nil)), delivery(nil), &worker{id: goroutineID()}
	b.Cleanup(c.handlerPatience.end)
	then := func(a *attempt, e ending) { c.settlement(a.delivery, e, time.Now()) }
	b.ReportAllocs()
	for b.Loop() {
		c.attempt(b.Context(), w, c.decodeAt(&raw), then)
	}
}

func BenchmarkProcess(b *testing.B) {
	c, raw := quiet(b, spec(nil)), delivery(nil)
	b.Cleanup(c.handlerPatience.end)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		c.Process(ctx, raw)
	}
}
