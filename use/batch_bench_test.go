package use_test

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

// through returns a function that has n messages handled, a hundred at once.
func through(t testing.TB, h consumer.Handler) func(n int) {
	c, err := consumer.New(nil, consumer.Spec{Queue: "rows", Concurrency: 100, Handler: h}, monitoring.Nop{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	return func(n int) {
		var workers sync.WaitGroup
		var begun atomic.Int64
		for range 100 {
			workers.Go(func() {
				for begun.Add(1) <= int64(n) {
					c.Process(ctx, amqp.Delivery{MessageId: "m", Body: []byte("row")})
				}
			})
		}
		workers.Wait()
	}
}

// Nearly all that a batch adds are those of the context on which a member waits: it is made when it
// is needed.
func TestAMessageOfABatchAllocatesLittle(t *testing.T) {
	const n = 1000
	alone, batch := through(t, handled), through(t, use.Batch(50, 10*time.Millisecond, ackAll))
	without := testing.AllocsPerRun(1, func() { alone(n) }) / n
	with := testing.AllocsPerRun(1, func() { batch(n) }) / n
	t.Logf("%.1f allocations a message, %.1f without a batch", with, without)
	if with-without > 8 {
		t.Errorf("a batch of 50 costs %.1f allocations a message, want 8 at most", with-without)
	}
}

func BenchmarkTheUsualPathOfABatch(b *testing.B) {
	for name, h := range map[string]consumer.Handler{"alone": handled, "batches of 50": use.Batch(50, 10*time.Millisecond, ackAll)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			through(b, h)(b.N)
		})
	}
}
