package pipeline_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

// A million outputs of one message need little memory; 100,000 in a short test.
func TestAMillionOutputsOfOneMessageNeedLittleMemory(t *testing.T) {
	const most = 64 << 20
	n := 1_000_000
	if testing.Short() || amqptest.Raced() {
		n = 100_000
	}
	name, q := namesOf(t, "accounts", "rows")
	accounts, rows := q[0], q[1]
	bank := newPlant(t, connecttest.New(t, connection.Config{}), pipeline.Config{Name: name})
	bank.consume(rows, pipeline.Sink(bank.Pipeline, acks[int])).Pause()
	var peak atomic.Int64
	bank.consume(accounts, pipeline.Stage(bank.Pipeline, rows, func(_ context.Context, in consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
		for i := range n {
			if err := emit(i); err != nil {
				return consumer.Retry(err)
			}
			if i%1000 == 0 {
				peak.Store(max(peak.Load(), heap()))
			}
		}
		return consumer.Ack()
	}), func(s *consumer.Spec) { s.Timeout = consumer.NoTimeout })
	runtime.GC()
	before, began := heap(), time.Now()
	job := start(t, bank, accounts, numbers(1))
	bank.until(job, 10*time.Minute, func(p pipeline.Progress) bool { return p.Stages[0].Done == 1 })
	t.Logf("%d outputs in %s, %.1f MiB above the %.1f MiB of the start", n, time.Since(began), float64(peak.Load()-before)/(1<<20), float64(before)/(1<<20))
	if above := peak.Load() - before; above > most {
		t.Errorf("%d MiB above the start", above>>20)
	}
	if p := bank.progress(job); p.Stages[1].Emitted != n || p.Stages[1].Done != 0 {
		t.Error(short(p))
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // it is no exabyte
}

func TestAHandlerThatGoesOnInContinuationsEmitsEachRowOnce(t *testing.T) {
	t.Parallel()
	const all, page = 5_000, 100
	name, q := namesOf(t, "accounts", "rows")
	accounts, rows := q[0], q[1]
	bank := newPlant(t, connecttest.New(t, connection.Config{}), pipeline.Config{Name: name})
	var saved tally
	bank.consume(rows, pipeline.Sink(bank.Pipeline, func(_ context.Context, in consumer.Message[int]) consumer.Result {
		saved.add(in.MessageID)
		return consumer.Ack()
	}), func(s *consumer.Spec) { s.Concurrency, s.Prefetch = 50, 100 })
	bank.consume(accounts, pipeline.Stage(bank.Pipeline, rows, func(_ context.Context, in consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
		for i := in.Payload; i < min(in.Payload+page, all); i++ {
			if err := emit(i); err != nil {
				return consumer.Retry(err)
			}
		}
		if next := in.Payload + page; next < all {
			return consumer.ResultOf(emit.Again(next))
		}
		return consumer.Ack()
	}))
	job := start(t, bank, accounts, numbers(1))
	last := bank.until(job, time.Minute, func(p pipeline.Progress) bool { return p.Complete })
	if saved.total() != all || last.Stages[0].Done != all/page || last.Stages[1].Done != all {
		t.Errorf("%d saved: %s", saved.total(), short(last))
	}
}
