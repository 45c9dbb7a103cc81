package use_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

func TestOfManyCopiesInAQueueOneOfEachIsHandled(t *testing.T) {
	t.Parallel()
	const messages, copies = 10, 3
	a := newAccounts(t, "copies")
	var mu sync.Mutex
	runs, nameless := map[string]int{}, 0
	spec := a.spec(messages*copies, use.Dedupe(mustMemory(t, 100), time.Hour))
	spec.Handler = func(_ context.Context, d consumer.Delivery) consumer.Result {
		mu.Lock()
		if d.MessageIDGiven {
			nameless++
		} else {
			runs[d.MessageID]++
		}
		mu.Unlock()
		time.Sleep(200 * time.Millisecond)
		return consumer.Ack()
	}
	a.declare(spec)
	var batch []publisher.Message
	for i := range messages * copies {
		batch = append(batch, publisher.Message{RoutingKey: a.queue, Options: []publisher.Option{publisher.MessageID(fmt.Sprint("m", i%messages))}})
	}
	if err := a.pub.PublishBatch(a.ctx, batch...); err != nil {
		t.Fatal(err)
	}
	ask(t, amqptest.Channel(t), a.queue, "", "", "equal")
	ask(t, amqptest.Channel(t), a.queue, "", "", "equal")
	a.start(spec)
	amqptest.Eventually(t, 20*time.Second, func() bool { acked, _ := a.counts(); return acked == messages*copies+2 }, "not all are acked")
	mu.Lock()
	defer mu.Unlock()
	for i := range messages {
		if n := runs[fmt.Sprint("m", i)]; n != 1 {
			t.Errorf("message %d is handled %d times", i, n)
		}
	}
	if nameless != 2 {
		t.Errorf("of 2 equal messages without an id %d are handled", nameless)
	}
	if _, snoozed := a.counts(); snoozed == 0 {
		t.Error("no copy came while another was handled")
	}
}
