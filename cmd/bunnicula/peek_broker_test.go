package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// inTransit declares the queues of a consumer, and publishes n messages to the queue with this
// suffix.
func inTransit(t *testing.T, p topology.Plan, suffix string, n int) (queue string) {
	t.Helper()
	p.Queue = amqptest.Queue(t, "transit")
	p.Delays = []time.Duration{time.Minute}
	topo, err := topology.New(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := topo.Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
	queue = p.Queue + suffix
	for i := range n {
		m := amqp.Publishing{MessageId: fmt.Sprintf("m-%02d", i), Timestamp: time.Now(), Body: fmt.Appendf(nil, "body\x1b[2J %d", i)}
		if suffix != "" {
			m.Headers = amqp.Table{wire.RetryAttempts: int64(2), wire.Queue: p.Queue, wire.Reason: "retry"}
		}
		amqptest.Publish(t, "", queue, m)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue) == n }, "not all are in the queue")
	return queue
}

// peek runs the command, with the limit that it wants where a look counts.
func (s *shell) peek(args ...string) result {
	return s.run(append([]string{"peek", "--delivery-limit", "100"}, args...)...)
}

func TestAPeekShowsTheHeadOfAMainQueueAndLeavesItAsItIs(t *testing.T) {
	t.Parallel()
	queue := inTransit(t, topology.Plan{}, "", 40)
	s := online(t)
	for range 2 {
		r := s.peek(queue, "--limit", "3").want(t, exitOK, "m-00", "m-02", "body·[2J 0")
		if strings.Contains(r.out, "m-03") || strings.Contains(r.out, "\x1b") {
			t.Errorf("more than three are shown, or what a terminal obeys:\n%s", r.out)
		}
	}
	if out := s.peek(queue).want(t, exitOK, "m-09").out; strings.Contains(out, "m-10") {
		t.Errorf("more than ten are shown:\n%s", out)
	}
	if n := strings.Count(s.peek(queue, "--json", "--limit", "1000").want(t, exitOK).out, `"body_size":`); n != 40 {
		t.Errorf("%d of 40 are shown", n)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue) == 40 }, "not all are back")
	for i := range 40 { // in their order
		if d := amqptest.Get(t, queue); d.MessageId != fmt.Sprintf("m-%02d", i) {
			t.Errorf("message %d is %s", i, d.MessageId)
		}
	}
}

func TestAPeekIntoARetryQueueSaysWhichAttemptIsNext(t *testing.T) {
	t.Parallel()
	queue := inTransit(t, topology.Plan{}, "-retry-1m", 2)
	r := online(t).peek(queue).want(t, exitOK)
	if fields := strings.Fields(strings.Split(r.out, "\n")[1]); fields[1] != "3" {
		t.Errorf("the next attempt is %s, want 3:\n%s", fields[1], r.out)
	}
}

func TestAPeekWantsToKnowTheLimitWhereALookCounts(t *testing.T) {
	t.Parallel()
	queue := inTransit(t, topology.Plan{}, "", 1)
	if amqptest.AtLeast(t, 4, 3) {
		online(t).run("peek", queue).want(t, exitOK, "m-00")
		return
	}
	r := online(t).run("peek", queue).want(t, exitUsage, "counts each look as a delivery", "--delivery-limit (100 is that of a consumer's main queue")
	if r.out != "" || amqptest.Get(t, queue).Redelivered {
		t.Errorf("it was looked at:\n%s", r.out)
	}
}

// The broker delivers all messages of such a queue to one consumer.
func TestAPeekIntoAQueueOfOneConsumerEndsAndSaysWhy(t *testing.T) {
	amqptest.Long(t) // it waits for 30 s
	t.Parallel()
	queue := inTransit(t, topology.Plan{SingleActive: true}, "", 5)
	ch := amqptest.Channel(t)
	if err := ch.Qos(1, 0, false); err != nil {
		t.Fatal(err)
	}
	taken, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := <-taken; d.MessageId != "m-00" {
		t.Fatalf("the consumer got %s", d.MessageId)
	}
	online(t).peek(queue).want(t, exitFailed, "the broker delivers none: a consumer with a higher priority, or a single active one, may get them")
	if amqptest.Depth(t, queue) != 4 {
		t.Errorf("%d messages are in the queue, want 4", amqptest.Depth(t, queue))
	}
}

func TestAPeekIntoNoQueueOrAtTooMuchIsAnError(t *testing.T) {
	t.Parallel()
	online(t).run("peek", "nobody-has-this").want(t, exitFailed, `there is no queue "nobody-has-this"`)
	offline(t).run("peek", "q", "--limit", "1001").want(t, exitUsage, "--limit is 1001, want 1 to 1000")
	offline(t).run("peek", "").want(t, exitUsage, "QUEUE is empty")
	offline(t).run("peek").want(t, exitUsage)
}
