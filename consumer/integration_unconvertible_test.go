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
)

// A message that the broker cannot convert for AMQP 0-9-1 ends the connection at each delivery,
// with no tag to reject. The shared connection is lost at most three times, and the neighbours'
// handlers repeat at most as often. Then its own consumer meets it alone, on a dedicated
// connection, until the queue's delivery limit parks it.
func TestAMessageThatTheBrokerCannotConvertIsParkedWhileOtherConsumersWorkOn(t *testing.T) {
	if amqptest.Major(t) < 4 {
		t.Skip("before RabbitMQ 4 AMQP 1.0 is a plugin, and converts what it takes")
	}
	t.Parallel()
	r := newRig(t)
	poisoned := amqptest.Queue(t, "unconvertible")

	var mu sync.Mutex
	handled := map[string]int{}
	starts := map[string]int{} // of the long ones, by queue
	spec := func(queue string) consumer.Spec {
		return consumer.Spec{
			Queue: queue, Backoff: []time.Duration{time.Hour}, Concurrency: 4, Timeout: 2 * time.Minute,
			Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
				mu.Lock()
				if string(d.Body) == "long" {
					starts[queue]++
				} else {
					handled[queue+" "+string(d.Body)]++
				}
				mu.Unlock()
				if string(d.Body) == "long" {
					pause(ctx, 20*time.Second)
				}
				return consumer.Ack()
			},
		}
	}
	var neighbours []string
	for i := range 8 {
		queue := amqptest.Queue(t, fmt.Sprint("neighbour", i))
		neighbours = append(neighbours, queue)
		r.start(spec(queue))
		r.publish(queue, "long")
	}
	r.start(spec(poisoned))
	for i := range 20 {
		if i == 10 {
			amqptest.Publish10(t, poisoned, amqptest.Unconvertible("bad"))
		}
		r.publish(poisoned, fmt.Sprint(i))
	}
	count := func(queue string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for what := range handled {
			if strings.HasPrefix(what, queue+" ") {
				n++
			}
		}
		return n
	}
	amqptest.Eventually(t, 90*time.Second, func() bool { return count(poisoned) == 20 }, "the messages around it are not handled")
	amqptest.Eventually(t, 90*time.Second, func() bool { return amqptest.Depth(t, poisoned+"-error") == 1 }, "it is not parked")
	for _, queue := range neighbours {
		r.publish(queue, "short")
	}
	for _, queue := range neighbours {
		amqptest.Eventually(t, 20*time.Second, func() bool { return count(queue) == 1 }, "%s is not consumed", queue)
	}
	if lost := r.conn.Health().Consuming.Lost; lost > 3 {
		t.Errorf("the shared connection was lost %d times, want at most 3", lost)
	}
	mu.Lock()
	defer mu.Unlock()
	t.Logf("the shared connection was lost %d times, long handlers were started %v", r.conn.Health().Consuming.Lost, starts)
	for queue, n := range starts {
		if n > 4 {
			t.Errorf("%s: its long handler was started %d times, want at most 4", queue, n)
		}
	}
}
