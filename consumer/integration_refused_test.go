package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// largeBody is above the limit that lowered sets.
var largeBody = strings.Repeat("A", 200_000)

// failLarge is a handler that fails for what the broker no longer takes.
func failLarge(_ context.Context, d consumer.Delivery) consumer.Result {
	switch body := string(d.Body); {
	case strings.HasPrefix(body, "small"):
		return consumer.Ack()
	case strings.HasPrefix(body, "large1"):
		return consumer.Retry(errors.New("retry it"))
	default:
		return consumer.Error(errors.New("park it"))
	}
}

// lowered starts a broker with messages that were published before its max_message_size was
// lowered, as by an upgrade from RabbitMQ 3 to 4: n large ones, and a small one behind each.
func lowered(t *testing.T, spec consumer.Spec, n int) (*rig, *amqp.Channel) {
	t.Helper()
	b := amqptest.StartBroker(t)
	r := newRigAt(t, b.URL)
	conn, err := amqp.Dial(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.make(spec).Topology().Declare(ch); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r.publish(spec.Queue, fmt.Sprint("large", i, largeBody))
		r.publish(spec.Queue, fmt.Sprint("small", i))
	}
	b.MaxMessageSize(100_000)
	return r, ch
}

func TestMessagesAboveALoweredLimitAreParkedWhole(t *testing.T) {
	t.Parallel()
	const prefetch = 4
	const n = prefetch + 5
	spec := consumer.Spec{Queue: "large", Prefetch: prefetch, Backoff: []time.Duration{time.Hour}, Handler: failLarge}
	r, ch := lowered(t, spec, n)
	c := r.start(spec)
	refused := 0
	for _, o := range r.outcomes(2 * n) {
		if o.Action == monitoring.Parked && o.Reason == monitoring.ReasonRefused && strings.Contains(o.Err.Error(), "406") {
			refused++
		} else if o.Action != monitoring.Acked {
			t.Errorf("told %+v", o)
		}
	}
	if refused != n {
		t.Errorf("%d are told as refused, want %d", refused, n)
	}
	r.publish("large", "small, later")
	r.outcomes(2*n + 1)
	if h := c.Health(); !h.Ready || h.Refused != 0 || h.CopiesBlocked != 0 {
		t.Errorf("health is %+v", h)
	}
	seen := map[string]bool{}
	amqptest.Eventually(t, 10*time.Second, func() bool { // at once, but for the broker's own work
		d, ok, err := ch.Get("large-error", true)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			body := string(d.Body)
			if len(body) != len("large0")+len(largeBody) || d.Headers["x-first-death-reason"] != "rejected" {
				t.Errorf("parked with %d bytes, %v", len(body), d.Headers)
			}
			seen[body[:6]] = true
		}
		return len(seen) == n
	}, "not all are in the error queue")
	if q, err := ch.QueueDeclarePassive("large", true, false, false, false, nil); err != nil || q.Messages != 0 {
		t.Errorf("%d messages are left in the queue, %v", q.Messages, err)
	}
}

func TestMessagesAboveALoweredLimitAreHeldWhereTheyCouldBeLost(t *testing.T) {
	amqptest.Long(t)
	spec := consumer.Spec{
		Queue: "large", QueueType: topology.Classic, Prefetch: 4, Backoff: []time.Duration{time.Hour}, Handler: failLarge,
	}
	r, ch := lowered(t, spec, 3)
	c := r.start(spec)
	amqptest.Eventually(t, 20*time.Second, func() bool { return c.Health().Refused == 3 }, "not held: %+v", c.Health())
	r.publish("large", "small, later")
	r.outcomes(4) // of the small ones
	h := c.Health()
	if h.Ready || h.Err == nil || !strings.Contains(h.Err.Error(), `queue "large"`) || !strings.Contains(h.Err.Error(), "406") {
		t.Errorf("health is %+v", h)
	}
	r.stop(c)
	for queue, want := range map[string]int{"large": 3, "large-error": 0} {
		amqptest.Eventually(t, 10*time.Second, func() bool { // a queue has what comes back a moment later
			q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
			return err == nil && q.Messages == want
		}, "%s has not %d messages", queue, want)
	}
}
