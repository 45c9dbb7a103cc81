package consumer_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Messages with delays of 1, 10 and 60 seconds, while 10,000 others wait an hour in the same
// consumer's queues: each comes within a second of its time, and none holds back another.
func TestEachDelayArrivesInItsTimeWhateverElseWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("waits a minute")
	}
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "delay")
	delays := []time.Duration{time.Minute, 10 * time.Second, time.Second}
	const others = 10_000

	var mu sync.Mutex
	first := map[string]time.Time{}
	came := make(chan string, 10)
	var all sync.WaitGroup
	all.Add(others)
	c := r.start(consumer.Spec{
		Queue: queue, Backoff: []time.Duration{time.Hour}, Delays: delays, Concurrency: 16, Prefetch: 300,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			body := string(d.Body)
			if body == "other" {
				all.Done()
				return consumer.Retry(nil)
			}
			mu.Lock()
			began, again := first[body]
			if !again {
				first[body] = time.Now()
			}
			mu.Unlock()
			delay, err := time.ParseDuration(body)
			if err != nil {
				t.Error(err)
			}
			if !again {
				return consumer.RetryAfter(delay, nil)
			}
			if took := time.Since(began); took < delay || took > delay+time.Second {
				t.Errorf("a delay of %s took %s", delay, took)
			}
			came <- body
			return consumer.Ack()
		},
	})
	batch := make([]publisher.Message, others)
	for i := range batch {
		batch[i] = publisher.Message{RoutingKey: queue, Payload: []byte("other")}
	}
	if err := r.pub.PublishBatch(r.ctx, batch...); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	depths(t, map[string]int{queue + "-retry-1h": others})
	for _, delay := range delays { // the longest first
		r.publish(queue, delay.String())
	}
	for i := len(delays) - 1; i >= 0; i-- {
		select {
		case got := <-came:
			if got != delays[i].String() {
				t.Errorf("%s came before %s", got, delays[i])
			}
		case <-r.ctx.Done():
			t.Fatal("a message never came back")
		}
	}
	r.stop(c)
	depths(t, map[string]int{queue: 0, queue + "-retry-1h": others, queue + "-retry-1m": 0, queue + "-error": 0})
}

// 700 ms out of queues of 100 and 500 ms: 500 + 100 + 100, and never before its time.
func TestADelayThatNoQueueHasIsPutTogether(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"RetryAfter", "Snooze"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			queue := amqptest.Queue(t, "sum")
			var times []time.Time
			var attempts []string
			r.start(consumer.Spec{
				Queue: queue, Backoff: []time.Duration{100 * time.Millisecond}, Delays: []time.Duration{500 * time.Millisecond}, Concurrency: 1,
				Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
					times = append(times, time.Now())
					attempts = append(attempts, fmt.Sprint(d.Attempt))
					switch {
					case len(times) == 2:
						return consumer.Ack()
					case kind == "Snooze":
						return consumer.Snooze(700 * time.Millisecond)
					}
					return consumer.RetryAfter(700*time.Millisecond, nil)
				},
			})
			r.publish(queue, "x")
			r.outcomes(2)
			if took := times[1].Sub(times[0]); took < 700*time.Millisecond || took > 5*time.Second {
				t.Errorf("it took %s, want 700ms at least and not much more", took)
			}
			if got, want := strings.Join(attempts, ","), map[string]string{"RetryAfter": "1,2", "Snooze": "1,1"}[kind]; got != want {
				t.Errorf("attempts were %s, want %s", got, want)
			}
		})
	}
}
