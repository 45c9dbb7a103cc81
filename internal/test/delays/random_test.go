package delays

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// trial is random delays, and what happens to the workers meanwhile.
type trial struct {
	messages    int
	span        time.Duration // the longest delay
	kills, cuts int
}

func TestNoMessageIsHandledEarlyOrLostWhenWorkersDie(t *testing.T) {
	trial{messages: 200, span: 4 * time.Second, kills: 2, cuts: 2}.act(t)
}

func TestOfManyMessagesNoneIsHandledEarlyOrLostWhenWorkersDie(t *testing.T) {
	amqptest.Long(t)
	trial{messages: 2000, span: 20 * time.Second, kills: 10, cuts: 10}.act(t)
}

func TestAMessageIsALittleLateAtMost(t *testing.T) {
	amqptest.Long(t)
	trial{messages: 2000, span: 20 * time.Second}.act(t)
}

func (c trial) act(t *testing.T) {
	t.Parallel()
	queue := newQueue(t)
	f := newFleet(t, queue, 2)
	orders := c.publish(t, queue)
	quiet := f.awaitAsks(orders)
	c.happen(f)
	last := quiet
	for _, o := range orders {
		if o.Due.After(last) {
			last = o.Due
		}
	}
	time.Sleep(time.Until(last)) // the delays themselves
	var a account
	amqptest.Eventually(t, 30*time.Second, func() bool { a = audit(orders, f.runs(), quiet); return len(a.lost) == 0 }, "messages are lost: %v", &a.lost)
	f.stop()
	a = audit(orders, f.runs(), quiet)
	t.Logf("%d messages, %d kills, %d cuts, longest outage %s: %s", len(orders), c.kills, c.cuts, f.outage.Round(time.Millisecond), a)
	if len(a.early) > 0 || len(a.lost) > 0 {
		t.Errorf("early: %v\nlost: %v", a.early, a.lost)
	}
	// The shortest rung; and what is no promise but must not grow: what connects again after a cut,
	// and the backlog of a machine that does other things too.
	if promised := topology.Ladder[0] + f.outage + 2*time.Second; a.lateness(1) > promised {
		t.Errorf("a message was %s late, want at most %s", a.lateness(1), promised)
	}
}

// publish publishes orders with random delays, each kind as often.
func (c trial) publish(t *testing.T, queue string) []order {
	t.Helper()
	pub, err := publisher.New(connecttest.New(t, connection.Config{}), publisher.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	defer func() { _ = pub.Stop(ctx) }()
	kinds := []kind{byDelay, byAt, byRetry, bySnooze}
	var orders []order
	var sent []publisher.Confirmation
	for i := range c.messages {
		delay := rand.N(c.span)
		o := order{ID: fmt.Sprint("m", i), Kind: kinds[i%len(kinds)], Due: time.Now().Add(delay)}
		options := []publisher.Option{publisher.MessageID(o.ID)}
		switch o.Kind {
		case byDelay:
			options = append(options, publisher.Delay(delay))
		case byAt:
			options = append(options, publisher.At(o.Due))
		}
		confirm, err := pub.PublishAsync(ctx, queue, o, options...)
		if err != nil {
			t.Fatal(err)
		}
		orders, sent = append(orders, o), append(sent, confirm)
	}
	for _, confirm := range sent {
		<-confirm.Done()
		if err := confirm.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return orders
}

// awaitAsks waits until each message that its handler delays does wait, or was due before.
func (f *fleet) awaitAsks(orders []order) time.Time {
	f.t.Helper()
	amqptest.Eventually(f.t, 30*time.Second, func() bool {
		known := map[string]bool{}
		for _, line := range f.lines("asked") {
			known[line[len("asked "):]] = true
		}
		for _, o := range orders {
			if !o.Kind.isPublished() && !known[o.ID] && time.Until(o.Due) > 0 {
				return false
			}
		}
		return true
	}, "not all handlers have delayed their messages")
	return time.Now()
}

// happen kills workers and cuts their connections, in the time that the delays take.
func (c trial) happen(f *fleet) {
	for i := range c.kills + c.cuts {
		time.Sleep(c.span / time.Duration(c.kills+c.cuts) * 4 / 5) // and a new worker takes a moment
		if i%2 == 0 && i/2 < c.kills {
			f.kill(rand.IntN(len(f.running)))
		} else {
			f.cut()
		}
	}
}
