package delays

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// The age of a message counts from when it was due, whatever becomes of it: it is retried, snoozed,
// parked and moved. A redrive begins it anew.
func TestTheAgeOfAMessageCountsFromWhenItWasDueAllTheWay(t *testing.T) {
	t.Parallel()
	s, next := newScene(t), newQueue(t)
	seen := make(chan consumer.Delivery, 10)
	results := []consumer.Result{
		consumer.Retry(errors.New("not now")), consumer.Snooze(0), consumer.Error(errors.New("never")), consumer.Error(errors.New("still never")),
	}
	quick := func(spec *consumer.Spec) {
		spec.Backoff, spec.Handler = []time.Duration{100 * time.Millisecond}, func(_ context.Context, d consumer.Delivery) consumer.Result {
			r := results[0]
			results = results[1:]
			seen <- d
			return r
		}
		spec.Concurrency = 1
	}
	stop := s.start("old", quick)
	due := time.Now().Add(1100 * time.Millisecond)
	if err := s.pub.Publish(s.ctx, s.queue, order{}, publisher.At(due)); err != nil {
		t.Fatal(err)
	}
	sees := func(attempt int, since func(time.Time) bool) {
		t.Helper()
		select {
		case d := <-seen:
			if d.Attempt != attempt || !since(d.Since) {
				t.Errorf("attempt %d sees an age since %s, and the message was due at %s", d.Attempt, d.Since, due)
			}
			if d.Exchange != "" || d.RoutingKey != s.queue {
				t.Errorf("attempt %d sees exchange %q and routing key %q", d.Attempt, d.Exchange, d.RoutingKey)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("attempt %d does not come", attempt)
		}
	}
	wasDue := func(since time.Time) bool { return since.Sub(due) >= 0 && since.Sub(due) < time.Millisecond } // it is rounded up
	sees(1, wasDue)
	sees(2, wasDue)
	sees(2, wasDue)
	redriven := s.redrive(s.queue)
	sees(1, func(since time.Time) bool { return since.Equal(redriven) && since.After(due) })
	stop()

	if at := parkedDue(t, s.queue); !wasDue(at) {
		t.Errorf("the parked message was due at %s", at)
	}
	s.move(next)
	if at := parkedDue(t, next); !wasDue(at) {
		t.Errorf("the moved message was due at %s", at)
	}
}

// It waits on in the rungs of its new consumer.
func TestAMessageWithADelayThatIsMovedIsDueWhenItWas(t *testing.T) {
	t.Parallel()
	s, next := newScene(t), newQueue(t)
	stop := s.start("old", func(*consumer.Spec) {})
	stop()
	orders := s.publish("moved", 1500*time.Millisecond, 2300*time.Millisecond, 900*time.Millisecond)
	s.start("new", func(spec *consumer.Spec) { spec.Queue = next })
	s.move(next)
	s.await(orders, slack)
	if n := s.ranBy("new"); n != len(orders) {
		t.Errorf("%d of %d orders were handled by the new consumer", n, len(orders))
	}
}

// redrive redrives all that is parked, and returns the second in which it did.
func (s *scene) redrive(queue string) time.Time {
	s.t.Helper()
	amqptest.Eventually(s.t, 10*time.Second, func() bool { return amqptest.Depth(s.t, queue+"-error") == 1 }, "nothing is parked")
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the header has whole seconds
	q, err := errorqueue.Open(s.ctx, s.conn, errorqueue.Config{Queue: queue}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	at := time.Now().Truncate(time.Second)
	if report, err := q.Redrive(s.ctx, errorqueue.RedriveOptions{All: true}); err != nil || report.Moved != 1 {
		s.t.Fatalf("redriven: %+v, %v", report, err)
	}
	return at
}

// move moves all messages of the scene's consumer to one on another queue.
func (s *scene) move(next string) {
	s.t.Helper()
	topologyOf := func(queue string) topology.Topology {
		c, err := consumer.New(s.conn, spec(queue, func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }), nil, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		return c.Topology()
	}
	to := topologyOf(next)
	if err := to.Declare(amqptest.Channel(s.t)); err != nil {
		s.t.Fatal(err)
	}
	if report, err := errorqueue.Move(s.ctx, s.conn, errorqueue.MoveOptions{From: topologyOf(s.queue), To: to}, nil); err != nil || report.Left != 0 {
		s.t.Fatalf("moved: %+v, %v", report, err)
	}
}

// parkedDue reads when the message was due that is in the error queue, and leaves it there.
func parkedDue(t *testing.T, queue string) time.Time {
	t.Helper()
	ch := amqptest.Channel(t)
	var due time.Time
	amqptest.Eventually(t, 10*time.Second, func() bool {
		d, ok, err := ch.Get(queue+"-error", false)
		if err != nil || !ok {
			return false
		}
		text, _ := d.Headers["bunnicula-due"].(string)
		due, _ = time.Parse(time.RFC3339Nano, text)
		return d.Nack(false, true) == nil
	}, "nothing is parked")
	return due
}
