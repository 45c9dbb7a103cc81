package delays

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// slack is by how much a message may be late in place of the 250 ms that are promised: tests run
// beside others on the same machine.
const slack = 2 * time.Second

func TestAHandlerThatAsksForADelayGetsItOnTheLadder(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{byRetry, bySnooze} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.start("ladder", func(s *consumer.Spec) { s.Backoff = []time.Duration{time.Hour} })
			var orders []order
			for i, delay := range []time.Duration{300 * time.Millisecond, time.Second, 1500 * time.Millisecond, 3200 * time.Millisecond} {
				o := order{ID: fmt.Sprint(k, i), Kind: k, Due: time.Now().Add(delay)}
				if err := s.pub.Publish(s.ctx, s.queue, body(t, o), publisher.MessageID(o.ID)); err != nil {
					t.Fatal(err)
				}
				orders = append(orders, o)
			}
			amqptest.Eventually(t, 10*time.Second, func() bool { return s.ranBy("ladder") >= len(orders) }, "not every order was delivered")
			s.mu.Lock()
			if s.runs = s.runs[len(orders):]; len(s.runs) > 1 { // the shortest may be back
				t.Errorf("%d orders came back at once", len(s.runs))
			}
			s.mu.Unlock()
			s.await(orders, slack)
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.runs) != len(orders) {
				t.Errorf("handlers ran %d times, want once for each of the %d orders", len(s.runs), len(orders))
			}
		})
	}
}

// The old consumer gets early messages too, and sends them round through its own queues.
func TestALadderIsAddedToARunningConsumerAndRemovedAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const short = 300 * time.Millisecond
	without := func(s *consumer.Spec) { s.Delays, s.Backoff = nil, []time.Duration{short} }
	s.start("old", without)
	unroutable := func() {
		t.Helper()
		err := s.pub.Publish(s.ctx, s.queue, order{}, publisher.Delay(2*time.Second))
		if !errors.Is(err, publisher.ErrUnroutable) || !strings.Contains(err.Error(), "topology.Ladder") {
			t.Errorf("without the Ladder: %v", err)
		}
	}
	unroutable()

	delays := make([]time.Duration, 40)
	for i := range delays {
		delays[i] = time.Second + time.Duration(i)*50*time.Millisecond
	}
	stop := s.start("new", func(*consumer.Spec) {})
	s.await(s.publish("beside", delays...), slack)
	if s.ranBy("old") == 0 || s.ranBy("new") == 0 {
		t.Errorf("the old consumer handled %d, the new one %d: each was to have some", s.ranBy("old"), s.ranBy("new"))
	}

	waiting := s.publish("removed", delays...)
	stop() // what waits in the rungs comes to the old consumer alone
	s.await(append(waiting, s.publish("after", delays[:10]...)...), short+slack)
	ch := amqptest.Channel(t)
	for _, rung := range topology.Ladder {
		if n, err := ch.QueueDelete(topology.RetryQueue(s.queue, rung), false, false, false); err != nil || n != 0 {
			t.Errorf("the queue of %s had %d messages: %v", rung, n, err)
		}
	}
	unroutable()
	for _, name := range []string{s.queue, s.queue + "-error", s.queue + "-retry-300ms"} {
		if n := amqptest.Depth(t, name); n != 0 {
			t.Errorf("%d messages are left in %s", n, name)
		}
	}
}

func TestASingleActiveConsumerHandlesDelaysWhenTheyAreDue(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	single := func(s *consumer.Spec) { s.SingleActive, s.Concurrency = true, 1 }
	stop := s.start("first", single)
	s.start("second", single)
	delays := []time.Duration{500 * time.Millisecond, 1700 * time.Millisecond, 2400 * time.Millisecond}
	orders := s.publish("single", delays...)
	amqptest.Eventually(t, 10*time.Second, func() bool { return s.ranBy("first") > 0 }, "the first consumer handles nothing")
	stop()
	s.await(orders, slack)
	if s.ranBy("second") == 0 {
		t.Error("the second consumer has handled nothing")
	}
}

func TestTheQueuesOfClojureTakeNoDelayAndTheErrorSaysSo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.start("clojure", func(s *consumer.Spec) { s.Scheme, s.Delays, s.MaxCrashes = topology.Bunnicula, nil, 0 })
	for name, option := range map[string]publisher.Option{"Delay": publisher.Delay(time.Second), "At": publisher.At(time.Now().Add(time.Hour))} {
		err := s.pub.Publish(s.ctx, s.queue, order{}, option)
		if !errors.Is(err, publisher.ErrUnroutable) || !strings.Contains(err.Error(), fmt.Sprintf("queue %q with a delay", s.queue)) || !strings.Contains(err.Error(), "topology.Ladder") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := consumer.New(s.conn, consumer.Spec{
		Queue: s.queue, Scheme: topology.Bunnicula, Delays: topology.Ladder,
		Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() },
	}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "Delays") {
		t.Errorf("the Ladder in that scheme: %v", err)
	}
}
