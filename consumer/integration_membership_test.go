package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// running is a Group without consumers that has started.
func (r *rig) running() *consumer.Group {
	r.t.Helper()
	g, err := consumer.NewGroup()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := g.Start(r.ctx); err != nil {
		r.t.Fatal(err)
	}
	return g
}

func (r *rig) add(g *consumer.Group, spec consumer.Spec) error {
	return g.AddConsumer(r.ctx, r.make(spec))
}

func TestACustomerConnectsLeavesWithAHandlerRunningAndConnectsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := r.running()
	began, finish := make(chan string, 10), make(chan struct{})
	spec := consumer.Spec{
		Queue: amqptest.Queue(t, "customer", "-retry-1s"), Backoff: []time.Duration{time.Second}, Concurrency: 1,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			began <- string(d.Body)
			<-finish
			return consumer.Ack()
		},
	}
	if err := r.add(g, spec); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r.publish(spec.Queue, fmt.Sprint(i))
	}
	if first := <-began; first != "0" {
		t.Errorf("%q came first", first)
	}
	removed := make(chan error, 1)
	go func() { removed <- g.Remove(r.ctx, spec.Queue) }()
	// What no handler has begun is in the queue again, while Remove waits for the handler.
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, spec.Queue) == 2 }, "it has %d messages, want 2", amqptest.Depth(t, spec.Queue))
	select {
	case err := <-removed:
		t.Fatalf("Remove did not wait for the handler: %v", err)
	default:
	}
	close(finish)
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	depths(t, map[string]int{spec.Queue: 2})
	if err := r.add(g, spec); err != nil {
		t.Fatal(err)
	}
	r.outcomes(3)
	if err := g.Stop(r.ctx); err != nil {
		t.Error(err)
	}
	depths(t, map[string]int{spec.Queue: 0})
}

func TestAQueueOfACustomerThatExistsWithOtherArgumentsHarmsNoOtherCustomer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := r.running()
	mine, theirs := amqptest.Queue(t, "mine", "-retry-1s"), amqptest.Queue(t, "theirs", "-retry-1s")
	var handled atomic.Int32
	spec := func(queue string) consumer.Spec {
		return consumer.Spec{Queue: queue, Backoff: []time.Duration{time.Second}, Handler: func(context.Context, consumer.Delivery) consumer.Result {
			handled.Add(1)
			return consumer.Ack()
		}}
	}
	if err := r.add(g, spec(mine)); err != nil {
		t.Fatal(err)
	}
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDeclare(theirs, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var mismatch *topology.MismatchError
		if err := r.add(g, spec(theirs)); !errors.As(err, &mismatch) {
			t.Fatalf("the error is no MismatchError: %v", err)
		}
		if wantNames(t, g, mine); !g.Ready() {
			t.Errorf("%+v", g.Health())
		}
	}
	if _, err := ch.QueueDelete(theirs, false, false, false); err != nil {
		t.Fatal(err)
	}
	if err := r.add(g, spec(theirs)); err != nil {
		t.Fatal(err)
	}
	r.publish(mine, "x")
	r.publish(theirs, "x")
	r.outcomes(2)
	if err := g.Stop(r.ctx); err != nil {
		t.Error(err)
	}
	if n := handled.Load(); n != 2 {
		t.Errorf("%d messages were handled", n)
	}
}

// What a removed consumer has opened at the broker is closed.
func TestConsumersThatWereRemovedLeaveNoChannels(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "comes-and-goes", "-retry-1s")
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Name: queue}, log)
	if err != nil {
		t.Fatal(err)
	}
	g := r.running()
	for i := range 5 {
		spec := consumer.Spec{Queue: queue, Name: fmt.Sprint("visit", i), Backoff: []time.Duration{time.Second}, Handler: always(consumer.Error(errors.New("parked")))}
		c, err := consumer.New(conn, spec, r.ended, log)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.AddConsumer(r.ctx, c); err != nil {
			t.Fatal(err)
		}
		r.publish(queue, "x") // its copy needs a channel, too
		r.outcomes(i + 1)
		if err := g.Remove(r.ctx, spec.Name); err != nil {
			t.Fatal(err)
		}
	}
	var open []string
	for _, line := range strings.Split(amqptest.Ctl(t, "list_connections", "client_properties", "channels", "--quiet", "--no-table-headers"), "\n") {
		if strings.Contains(line, queue) {
			fields := strings.Fields(line)
			open = append(open, fields[len(fields)-1])
		}
	}
	if got := strings.Join(open, " "); got != "0 0" { // of the connections to publish and to consume
		t.Errorf("the broker has %q channels of them", got)
	}
	if err := errors.Join(g.Stop(r.ctx), conn.Stop(r.ctx)); err != nil {
		t.Error(err)
	}
}
