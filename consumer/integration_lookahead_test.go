package consumer_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestWhatFastHandlersTookAheadGoesToOthersWhenTheyBecomeSlow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "pace")
	const fast, all = 1000, 1250
	var mu sync.Mutex
	handled := map[string]int{}
	count := func(d consumer.Delivery) (n int) {
		mu.Lock()
		defer mu.Unlock()
		handled[string(d.Body)]++
		return len(handled)
	}
	spec := consumer.Spec{Queue: queue, Concurrency: 1, Backoff: []time.Duration{time.Hour}}
	spec.Handler = always(consumer.Ack())
	r.declare(spec)
	var messages []publisher.Message
	for i := range all {
		messages = append(messages, publisher.Message{RoutingKey: queue, Payload: []byte(strconv.Itoa(i))})
	}
	if err := r.pub.PublishBatch(r.ctx, messages...); err != nil {
		t.Fatal(err)
	}

	spec.Name = "slows down"
	slow := make(chan struct{})
	var once sync.Once
	spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
		if count(d) > fast {
			once.Do(func() { close(slow) })
			select {
			case <-time.After(1200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		return consumer.Ack()
	}
	first := r.start(spec)
	<-slow
	if h := first.Health(); h.Prefetch != 300 {
		t.Errorf("handlers are fast, and %d are taken ahead", h.Prefetch)
	}
	amqptest.Eventually(t, time.Second, func() bool { return amqptest.Depth(t, queue) == 0 }, "it does not take all")
	spec.Name = "helps"
	spec.Handler = func(_ context.Context, d consumer.Delivery) consumer.Result {
		count(d)
		return consumer.Ack()
	}
	r.start(spec)
	r.outcomes(all) // alone the first would take more than five minutes for the rest
	mu.Lock()
	defer mu.Unlock()
	if len(handled) != all {
		t.Errorf("%d messages of %d were handled", len(handled), all)
	}
	for body, n := range handled {
		if n != 1 {
			t.Errorf("%s was handled %d times", body, n)
		}
	}
	if h := first.Health(); h.Prefetch != 10 {
		t.Errorf("handlers are slow, and %d are taken ahead", h.Prefetch)
	}
	depths(t, map[string]int{queue: 0, queue + "-retry-1h": 0, queue + "-error": 0, queue + "-quarantine": 0})
}

// Large messages stand behind small ones that take microseconds. Before the first large one has
// come nothing tells that they will, and as many are on their way as are taken ahead.
func TestTheMemoryThatIsTakenAheadIsBounded(t *testing.T) {
	amqptest.Long(t)
	r := newRig(t)
	queue := amqptest.Queue(t, "budget")
	const small, large, size = 10_000, 300, 2 << 20
	var did tally
	open := make(chan struct{})
	spec := consumer.Spec{Queue: queue, Backoff: []time.Duration{time.Hour}}
	spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
		if len(d.Body) == size {
			<-open
		}
		did.add("one", 1)
		did.add("one", -1)
		return consumer.Ack()
	}
	r.declare(spec)
	messages := make([]publisher.Message, small)
	for i := range messages {
		messages[i] = publisher.Message{RoutingKey: queue, Payload: []byte("small")}
	}
	if err := r.pub.PublishBatch(r.ctx, messages...); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", size)
	for range large {
		r.publish(queue, body)
	}
	live := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc >> 20)
	}
	before, peak := live(), 0
	c := r.start(spec)
	amqptest.Eventually(t, 30*time.Second, func() bool { return did.of("one") == small }, "the small ones are not handled")
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		peak = max(peak, live()-before)
		time.Sleep(50 * time.Millisecond)
	}
	took := did.of("one") - small
	t.Logf("peak %d MiB above %d, at rest %d, prefetch %d, ready in the queue %d", peak, before, live()-before, c.Health().Prefetch, amqptest.Depth(t, queue))
	// The budget, those that are kept in any case, those that are handled, and what the client has
	// received meanwhile. All together would be 600.
	if most := 160; peak > most || took != 0 {
		t.Errorf("%d MiB are here at most, want %d", peak, most)
	}
	close(open)
	amqptest.Eventually(t, 2*time.Minute, func() bool { return did.of("one") == small+large }, "the large ones are not handled")
	r.stop(c)
	depths(t, map[string]int{queue: 0, queue + "-quarantine": 0, queue + "-error": 0})
}
