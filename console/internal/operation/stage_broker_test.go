package operation_test

import (
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

func id(n int) string { return fmt.Sprintf("m%06d", n) }

// park publishes messages into the error queue, as a consumer parks them, and waits for their
// confirms.
func (s *stage) park(from, n int) {
	ch := amqptest.Channel(s.t)
	if err := ch.Confirm(false); err != nil {
		s.t.Fatal(err)
	}
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, n))
	for i := from; i < from+n; i++ {
		err := ch.Publish("", s.queue+"-error", true, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, MessageId: id(i), Body: fmt.Appendf(nil, `{"n":%d}`, i),
			Headers: amqp.Table{
				wire.Reason: "timeout", wire.Error: "dial tcp: connection refused", wire.ErrorGroup: "0123456789abcdef",
				wire.Queue: s.queue, wire.Consumer: "c", wire.FailedAt: "2026-11-01T10:00:00Z",
			},
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	for range n {
		if c, ok := <-confirms; !ok || !c.Ack {
			s.t.Fatal("a message is not confirmed")
		}
	}
	_ = ch.Close()
}

// list returns the marks of the parked messages by their ids. Each must be there once.
func (s *stage) list() map[string]string {
	cfg := errorqueue.Named(s.queue + "-error")
	cfg.Wait = time.Minute
	q, err := errorqueue.Open(s.t.Context(), s.conn, cfg, quiet)
	if err != nil {
		s.t.Fatal(err)
	}
	defer q.Close(s.t.Context())
	marks := map[string]string{}
	for m, err := range q.List(s.t.Context(), errorqueue.ListOptions{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if marks[m.ID] != "" {
			s.t.Errorf("%s is parked twice", m.ID)
		}
		marks[m.ID] = m.Mark
	}
	return marks
}

// settle waits until the broker has back what a killed process has held.
func (s *stage) settle() {
	last, since := -1, time.Now()
	amqptest.Eventually(s.t, time.Minute, func() bool {
		n := amqptest.Depth(s.t, s.queue+"-error")
		if s.locked() {
			n = -1
		}
		if n != last || n < parkN/2 {
			last, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	}, "the error queue does not come to rest")
}

// locked says whether a reader has the error queue.
func (s *stage) locked() bool {
	ch := amqptest.Channel(s.t)
	defer func() { _ = ch.Close() }()
	_, err := ch.QueueDeclarePassive(s.queue+"-error.reader", false, false, false, false, nil)
	var refused *amqp.Error
	return !errors.As(err, &refused) || refused.Code != amqp.NotFound // or else it is another connection's
}

// empty takes all messages out of a queue, and counts them by id.
func (s *stage) empty(suffix string) map[string]int {
	found := map[string]int{}
	if suffix == "-archive" && !amqptest.Exists(s.t, s.queue+suffix) {
		return found
	}
	n := amqptest.Depth(s.t, s.queue+suffix)
	ch := amqptest.Channel(s.t)
	if err := ch.Qos(1000, 0, false); err != nil {
		s.t.Fatal(err)
	}
	deliveries, err := ch.Consume(s.queue+suffix, "empty", false, false, false, false, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for got := 0; ; got++ {
		wait := 10 * time.Second
		if got >= n {
			wait = 50 * time.Millisecond // there may be one message too many
		}
		select {
		case d := <-deliveries:
			found[d.MessageId]++
			if err := d.Ack(false); err != nil {
				s.t.Fatal(err)
			}
			continue
		case <-time.After(wait):
		}
		// A quorum queue can forget acks at the end of a channel that has a subscription still.
		if err := ch.Cancel("empty", false); err != nil {
			s.t.Fatal(err)
		}
		if _, err := ch.QueuePurge(s.queue+suffix, false); err != nil {
			s.t.Fatal(err)
		}
		_ = ch.Close()
		return found
	}
}

// run runs an operation to its end.
func (s *stage) run(r *operation.Runner, i operation.Intent) operation.State {
	changes, stop := r.Watch(i.ID)
	defer stop()
	if err := r.Start(i); err != nil {
		s.t.Fatal(err)
	}
	for {
		state, _ := r.State(i.ID)
		if state.Status.Over() {
			return state
		}
		select {
		case <-changes:
		case <-time.After(2 * time.Minute):
			s.t.Fatalf("it takes too long: %+v", state)
		}
	}
}
