package consumer_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestLimitsThatChangeUnderLoadLoseNothingAndRunNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "limit")
	const messages = 3000
	var ran begins
	spec := consumer.Spec{Queue: queue, Concurrency: 16, Backoff: []time.Duration{time.Hour}, Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
		ran.begin(string(d.Body))
		defer ran.end()
		time.Sleep(2 * time.Millisecond)
		return consumer.Ack()
	}}
	c := r.start(spec)
	publishing := make(chan error, 1)
	go func() {
		for from := 0; from < messages; from += 100 {
			var batch []publisher.Message
			for i := range 100 {
				batch = append(batch, publisher.Message{RoutingKey: queue, Payload: []byte(strconv.Itoa(from + i))})
			}
			if err := r.pub.PublishBatch(r.ctx, batch...); err != nil {
				publishing <- err
				return
			}
		}
		publishing <- nil
	}()
	for i := 0; ran.count() < messages*9/10; i++ {
		n := []int{3, 16, 1, 8, 2, 0}[i%6]
		if err := c.Limit(n); err != nil {
			t.Fatal(err)
		}
		switch i % 7 {
		case 2:
			c.Obey(consumer.Order{Limit: 4, Why: "slowly"})
		case 4:
			c.Obey(consumer.Order{Paused: true, Why: "a pause"})
		case 5:
			c.Obey(consumer.Order{})
		}
		limit := c.Health().Limit
		amqptest.Eventually(t, 10*time.Second, func() bool { return c.Health().Running <= limit }, "more run than the limit of %d", limit)
		time.Sleep(10 * time.Millisecond) // what has begun before this begins
		from := ran.count()
		time.Sleep(50 * time.Millisecond)
		if began, most := ran.since(from); most > limit {
			t.Errorf("%d of %d began while as many as %d ran, and the limit is %d", began, i, most, limit)
		}
		if r.ctx.Err() != nil {
			t.Fatalf("%d were handled: %+v", ran.count(), c.Health())
		}
	}
	c.Obey(consumer.Order{})
	if err := c.Limit(0); err != nil {
		t.Fatal(err)
	}
	if err := <-publishing; err != nil {
		t.Fatal(err)
	}
	r.outcomes(messages)
	ran.wantOnce(t, messages)
	r.stop(c)
	depths(t, map[string]int{queue: 0, queue + "-retry-1h": 0, queue + "-error": 0, queue + "-quarantine": 0})
}

func TestWhatALimitLeavesInTheQueueOthersHandle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "left")
	free := make(chan struct{})
	spec := consumer.Spec{Queue: queue, Concurrency: 8, Backoff: []time.Duration{time.Hour}, Handler: hangs(free)}
	r.declare(spec)
	for i := range 30 {
		r.publish(queue, fmt.Sprint(i))
	}
	spec.Name = "limited"
	c := r.make(spec)
	c.Obey(consumer.Order{Limit: 2})
	if err := c.Start(r.ctx); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 5*time.Second, func() bool { return len(c.Running()) == 2 }, "not two run: %+v", c.Health())
	amqptest.Eventually(t, 5*time.Second, func() bool { return amqptest.Depth(t, queue) == 20 }, "of 30 messages %d wait, want 20", amqptest.Depth(t, queue))
	if h := c.Health(); h.Prefetch != 10 || h.Limit != 2 || !h.Ready {
		t.Errorf("%+v", h)
	}
	c.Obey(consumer.Order{Paused: true})
	amqptest.Eventually(t, 5*time.Second, func() bool { return amqptest.Depth(t, queue) == 28 }, "of 30 messages %d wait, want 28", amqptest.Depth(t, queue))
	c.Obey(consumer.Order{})
	amqptest.Eventually(t, 5*time.Second, func() bool { return len(c.Running()) == 8 }, "not eight run: %+v", c.Health())
	close(free)
	r.outcomes(30)
	r.stop(c)
	depths(t, map[string]int{queue: 0, queue + "-retry-1h": 0, queue + "-error": 0, queue + "-quarantine": 0})
}
