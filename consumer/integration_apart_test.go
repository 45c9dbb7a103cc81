package consumer_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// unreadable is a message whose delivery ends the connection of every client of this library.
func unreadable() amqp.Publishing {
	nested := amqp.Table{"end": "here"}
	for range 40 {
		nested = amqp.Table{"t": nested}
	}
	return amqp.Publishing{Headers: nested, Body: []byte("unreadable"), DeliveryMode: amqp.Persistent}
}

func TestAMessageThatTheClientCannotReadIsParkedWhileOtherConsumersWorkOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	poisoned, other := amqptest.Queue(t, "poisoned"), amqptest.Queue(t, "other")

	var mu sync.Mutex
	handled := map[string]int{}
	starts := map[string]int{} // of the long one
	last, longest := time.Now(), time.Duration(0)
	meeting, met := make(chan struct{}, 4), make(chan struct{}) // of four handlers
	count := func(ctx context.Context, d consumer.Delivery) consumer.Result {
		if string(d.Body) == "together" {
			meeting <- struct{}{}
			select {
			case <-met:
			case <-ctx.Done():
			}
			return consumer.Ack()
		}
		mu.Lock()
		defer mu.Unlock()
		handled[string(d.Body)]++
		return consumer.Ack()
	}
	first := consumer.Spec{Queue: poisoned, Backoff: []time.Duration{time.Hour}, Concurrency: 4, Prefetch: 40, Handler: count}
	r.declare(first)
	const innocent = 60
	for i := range innocent {
		if i == innocent/2 {
			amqptest.Publish(t, "", poisoned, unreadable())
		}
		r.publish(poisoned, strconv.Itoa(i))
	}
	c := r.start(consumer.Spec{
		Queue: other, Backoff: []time.Duration{time.Hour}, Concurrency: 4,
		Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			mu.Lock()
			longest, last = max(longest, time.Since(last)), time.Now()
			starts[string(d.Body)]++
			mu.Unlock()
			if string(d.Body) == "long" {
				pause(ctx, 10*time.Second)
			}
			return consumer.Ack()
		},
	})
	ctx, stop := context.WithCancel(r.ctx)
	defer stop()
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for ctx.Err() == nil {
			_ = r.pub.Publish(ctx, other, []byte("short"))
			pause(ctx, 50*time.Millisecond)
		}
	})
	r.publish(other, "long")
	mu.Lock()
	last = time.Now()
	mu.Unlock()
	began := time.Now()
	p := r.start(first)
	amqptest.Eventually(t, 100*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(handled) == innocent
	}, "the messages around the unreadable one are not handled")
	amqptest.Eventually(t, 100*time.Second, func() bool { return amqptest.Depth(t, poisoned+"-error") == 1 }, "it is not parked")
	t.Logf("over after %s; the other consumer's longest pause was %s, and its long handler was started %d times",
		time.Since(began).Round(time.Millisecond), longest.Round(time.Millisecond), starts["long"])
	stop()
	publishing.Wait()
	for range 4 { // it is in full swing again
		r.publish(poisoned, "together")
	}
	amqptest.Eventually(t, 20*time.Second, func() bool { return len(meeting) == 4 }, "%d handlers run at once, want 4", len(meeting))
	close(met)
	mu.Lock()
	defer mu.Unlock()
	if longest > 5*time.Second {
		t.Errorf("the other consumer started nothing for %s", longest)
	}
	if starts["long"] > 2 {
		t.Errorf("the other consumer's long handler was started %d times, want once, and once more after the shared connection was lost", starts["long"])
	}
	r.stop(c)
	r.stop(p)
	// It cannot be looked at, only counted.
	depths(t, map[string]int{poisoned + "-error": 1, poisoned: 0, other + "-error": 0})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
