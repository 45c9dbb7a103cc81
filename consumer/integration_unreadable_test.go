package consumer_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// unreadable is a message whose delivery ends the connection of every client of this library.
func unreadable() amqp.Publishing {
	nested := amqp.Table{"end": "here"}
	for range 40 {
		nested = amqp.Table{"t": nested}
	}
	return amqp.Publishing{Headers: nested, Body: []byte("unreadable"), DeliveryMode: amqp.Persistent}
}

// parking is a monitor that tells when a message was parked, and why. The rig's recorder hears it
// too.
type parking struct {
	monitoring.Monitor

	parked chan monitoring.Outcome
}

func (p parking) End(ctx context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	p.Monitor.End(ctx, d, o)
	if o.Action == monitoring.Parked {
		p.parked <- o
	}
}

// One message costs nobody anything: it is rejected, the broker parks it whole, and no connection
// ends.
func TestAMessageThatTheClientCannotReadIsParkedAtOnceAndNobodyLosesAConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	poisoned, other := amqptest.Queue(t, "poisoned"), amqptest.Queue(t, "other")

	var handled, beside tally
	together, met := make(chan struct{}, 4), make(chan struct{}) // handlers that run at once at the end
	first := consumer.Spec{
		Queue: poisoned, Backoff: []time.Duration{time.Hour}, Concurrency: 4, Prefetch: 40,
		Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			if string(d.Body) == "together" {
				together <- struct{}{}
				<-met
				return consumer.Ack()
			}
			return handled.handle(ctx, d, 0)
		},
	}
	r.declare(first)
	const innocent = 60
	for i := range innocent {
		if i == innocent/2 {
			amqptest.Publish(t, "", poisoned, unreadable())
		}
		r.publish(poisoned, strconv.Itoa(i))
	}
	release, started := make(chan struct{}), make(chan struct{}, 1)
	var mu sync.Mutex
	var last time.Time
	var longest time.Duration // between two messages that the neighbour begins
	r.start(consumer.Spec{
		Queue: other, Backoff: []time.Duration{time.Hour}, Concurrency: 4,
		Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			mu.Lock()
			if !last.IsZero() {
				longest = max(longest, time.Since(last))
			}
			last = time.Now()
			mu.Unlock()
			result := beside.handle(ctx, d, 0)
			if string(d.Body) == "long" {
				started <- struct{}{}
				<-release
			}
			return result
		},
	})
	r.publish(other, "long")
	<-started
	ctx, stop := context.WithCancel(r.ctx)
	defer stop()
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for ctx.Err() == nil {
			_ = r.pub.Publish(ctx, other, []byte("short"))
			pause(ctx, 20*time.Millisecond)
		}
	})

	told := parking{r.ended, make(chan monitoring.Outcome, 10)}
	p, err := consumer.New(r.conn, first, told, quietLog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(p) })
	if err := p.Start(r.ctx); err != nil {
		t.Fatal(err)
	}
	select { // within a second of its subscription
	case o := <-told.parked:
		if o.Reason != monitoring.ReasonUndecodable || o.Err == nil {
			t.Errorf("the monitor is told %s because %s: %v", o.Action, o.Reason, o.Err)
		}
	case <-time.After(time.Second):
		t.Error("it is not parked within a second")
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, poisoned+"-error") == 1 }, "it is not in the error queue")
	amqptest.Eventually(t, 10*time.Second, func() bool { return handled.messages("") == innocent }, "the messages around it are not handled")
	stop()
	publishing.Wait()
	for range 4 {
		r.publish(poisoned, "together")
	}
	amqptest.Eventually(t, 20*time.Second, func() bool { return len(together) == 4 }, "fewer than 4 handlers run at once")
	close(met)
	close(release)
	if h := r.conn.Health().Consuming; h.Lost != 0 || !h.Connected {
		t.Errorf("the shared connection was lost %d times: %+v", h.Lost, h)
	}
	mu.Lock()
	defer mu.Unlock()
	if longest > time.Second {
		t.Errorf("the neighbour began nothing for %s", longest)
	}
	beside.wantEachOnce(t)
	handled.wantEachOnce(t)
	r.stop(p)
	// It cannot be looked at, only counted.
	depths(t, map[string]int{poisoned + "-error": 1, poisoned: 0, other: 0, other + "-error": 0})
}

// wantEachOnce asserts that no message was begun twice.
func (y *tally) wantEachOnce(t *testing.T) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	for id, n := range y.ran {
		if n != 1 {
			t.Errorf("message %s was begun %d times", id, n)
		}
	}
}

// The two connections of the app, and none for the message or for the consumers beside it.
func TestAnUnreadableMessageInOneOfManyQueuesCostsNoConnection(t *testing.T) {
	t.Parallel()
	b := amqptest.StartBroker(t) // whose connections are ours alone
	r := newRigAt(t, b.URL)
	connections := func() int {
		return strings.Count(b.Ctl("list_connections", "name", "--quiet", "--no-table-headers"), "->")
	}
	const queues = 20
	for i := range queues {
		r.start(consumer.Spec{Queue: fmt.Sprint("many", i), Backoff: []time.Duration{time.Hour}, Handler: always(consumer.Ack())})
	}
	r.publish("many1", "x")
	r.outcomes(1)
	before := connections()
	publishUnreadable(t, b.URL, "many0")
	began := time.Now()
	r.outcomes(2)
	if took := time.Since(began); took > time.Second {
		t.Errorf("it was parked after %s", took)
	}
	for i := range queues { // all of them still work
		r.publish(fmt.Sprint("many", i), "x")
	}
	r.outcomes(2 + queues)
	if after, lost := connections(), r.conn.Health().Consuming.Lost; after != before || lost != 0 {
		t.Errorf("%d connections before and %d after, and the shared one was lost %d times", before, after, lost)
	}
}

// publishUnreadable publishes on a connection that it closes.
func publishUnreadable(t *testing.T, url, queue string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	sent, err := ch.PublishWithDeferredConfirm("", queue, true, false, unreadable())
	if err != nil {
		t.Fatal(err)
	}
	if !sent.Wait() {
		t.Fatal("it was not confirmed")
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
