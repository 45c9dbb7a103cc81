package use_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

const concurrency = 20

// outage is a service that is down from the beginning, until some time after its first call.
type outage struct {
	lasts time.Duration
	since atomic.Int64
	calls atomic.Int64
	fails atomic.Int64
}

func (o *outage) handle(context.Context, consumer.Delivery) consumer.Result {
	o.calls.Add(1)
	now := time.Now().UnixNano()
	o.since.CompareAndSwap(0, now)
	time.Sleep(5 * time.Millisecond)
	if time.Duration(now-o.since.Load()) < o.lasts {
		o.fails.Add(1)
		return consumer.Retry(errors.New("connection refused"))
	}
	return consumer.Ack()
}

// counts are what becomes of the messages.
type counts struct{ acked, retried, snoozed, parked atomic.Int64 }

func (c *counts) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

func (c *counts) End(_ context.Context, _ monitoring.Delivery, o monitoring.Outcome) {
	switch o.Action {
	case monitoring.Acked:
		c.acked.Add(1)
	case monitoring.Retried:
		c.retried.Add(1)
	case monitoring.Snoozed:
		c.snoozed.Add(1)
	case monitoring.Parked:
		c.parked.Add(1)
	}
}

// The service is down when the first message comes, so the breaker opens without a success before.
func TestAnOutageParksNothingAndCostsHardlyACall(t *testing.T) {
	t.Parallel()
	messages, lasts, rest := 3000, 20*time.Second, 10*time.Second
	if testing.Short() {
		messages, lasts, rest = 1000, 4*time.Second, 2*time.Second
	}
	service := &outage{lasts: lasts}
	ended := runOutage(t, messages, service, use.Breaker{Failures: 10, Rest: rest}.New())
	calls := int(service.calls.Load())
	t.Logf("%d messages: %d calls, %d failed; retried %d, snoozed %d, parked %d",
		messages, calls, service.fails.Load(), ended.retried.Load(), ended.snoozed.Load(), ended.parked.Load())
	if ended.parked.Load() != 0 {
		t.Errorf("%d messages were parked, want none", ended.parked.Load())
	}
	// Those that open the breaker, those that run meanwhile, and the probes.
	ideal := messages + 10 + concurrency - 1 + int(lasts/rest)
	if calls > ideal+ideal/50 {
		t.Errorf("the service was called %d times, want at most 2 %% more than %d", calls, ideal)
	}
}

// runOutage has a consumer handle messages until each is acked or parked, and reads its queues.
func runOutage(t *testing.T, messages int, service *outage, middleware ...consumer.Middleware) *counts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Name: "breaker"}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Stop(context.Background()) }()
	queue := amqptest.Queue(t, "breaker")
	ended := new(counts)
	c, err := consumer.New(conn, consumer.Spec{
		Queue: queue, MaxRetries: 3, Backoff: []time.Duration{time.Second}, Delays: []time.Duration{5 * time.Second},
		Concurrency: concurrency, Timeout: 20 * time.Second, Handler: service.handle, Use: middleware,
	}, ended, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Stop(context.Background()) }()
	pub, err := publisher.New(conn, publisher.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pub.Stop(context.Background()) }()
	batch := make([]publisher.Message, messages)
	for i := range batch {
		batch[i] = publisher.Message{RoutingKey: queue, Payload: fmt.Sprint(i)}
	}
	if err := pub.PublishBatch(ctx, batch...); err != nil {
		t.Fatal(err)
	}
	for done := func() int { return int(ended.acked.Load() + ended.parked.Load()) }; done() < messages; {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%d of %d messages are done", done(), messages)
		}
	}
	if err := c.Stop(ctx); err != nil {
		t.Error(err)
	}
	for suffix, want := range map[string]int{"": 0, "-retry-1s": 0, "-retry-5s": 0, "-error": int(ended.parked.Load())} {
		if depth := amqptest.Depth(t, queue+suffix); depth != want {
			t.Errorf("queue %s%s has %d messages, want %d", queue, suffix, depth, want)
		}
	}
	return ended
}
