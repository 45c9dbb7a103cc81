package topology_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// recommended is the setting that docs/OPERATIONS.md recommends: how soon a broker retries a dead
// letter that its target did not take. The default is three minutes.
var recommended = amqptest.Setting{Name: "dead_letter_worker_publisher_confirm_timeout", Value: "5000"}

// waiting is a main queue with one retry queue, and nothing else.
type waiting struct {
	topology.Topology
	main, retry string
}

func newWaiting(t *testing.T, name string, delay time.Duration, arguments map[string]any) waiting {
	t.Helper()
	topo := mustNew(t, topology.Plan{Queue: name, Delays: []time.Duration{delay}, Arguments: arguments})
	topo.Queues = slices.DeleteFunc(topo.Queues, func(q topology.Queue) bool {
		return q.Role != topology.RoleMain && q.Role != topology.RoleRetry
	})
	return waiting{topo, name, topology.RetryQueue(name, delay)}
}

// confirming is a channel of a private broker in confirm mode.
type confirming struct {
	*amqp.Channel
	t   *testing.T
	url string // of the broker
}

func confirmingOn(t *testing.T, b *amqptest.Broker) confirming {
	t.Helper()
	ch, err := amqptest.DialURL(t, b.URL).Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return confirming{ch, t, b.URL}
}

func (c confirming) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// send publishes a message to a queue, and says whether the broker took it.
func (c confirming) send(queue, body string) bool {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	confirm, err := c.PublishWithDeferredConfirm("", queue, true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
	c.must(err)
	ok, err := confirm.WaitContext(ctx)
	c.must(err)
	return ok
}

func (c confirming) depth(queue string) int {
	c.t.Helper()
	q, err := c.QueueDeclarePassive(queue, true, false, false, false, nil)
	c.must(err)
	return q.Messages
}

// comes says whether there is a message in the queue within that time.
func (c confirming) comes(queue string, within time.Duration) bool {
	c.t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if c.depth(queue) > 0 {
			return true
		}
	}
	return false
}

// While a broker starts, a retry queue can be up before the exchange (3.10, 4.0) or the queue (4.3)
// to which it dead-letters. What is due then waits for the timer that the setting is about. With its
// default this test fails on most runs, because many of the queues stay empty for three minutes.
// The more queues there are, the longer the broker takes until all are up.
func TestWithTheSettingRetriesThatAreDueWhileTheBrokerStartsComeSoon(t *testing.T) {
	amqptest.Long(t)
	b := amqptest.StartBroker(t, recommended)
	ch := confirmingOn(t, b)
	var all []waiting
	for i := range 120 {
		w := newWaiting(t, fmt.Sprintf("orders-%d", i), 5*time.Second, nil)
		ch.must(w.Declare(ch.Channel))
		all = append(all, w)
	}
	b.Settle()
	for _, w := range all {
		if !ch.send(w.retry, "due") {
			t.Fatalf("%s takes no message", w.retry)
		}
	}
	b.Stop()
	b.Start()

	ch = confirmingOn(t, b)
	began := time.Now()
	late := all
	for time.Since(began) < 30*time.Second && len(late) > 0 {
		late = slices.DeleteFunc(slices.Clone(late), func(w waiting) bool { return ch.depth(w.main) > 0 })
	}
	if len(late) > 0 {
		t.Errorf("%d of %d retries are not back 30 s after the broker", len(late), len(all))
	}
}

// Nothing that a client of AMQP does makes a broker retry a dead letter earlier. So a consumer
// cannot do anything about a late retry when it is connected again. A policy for the retry queue
// does, if the message found no exchange or no queue; it does not if the queue refused the message.
func TestOnlyAPolicyMakesABrokerRetryADeadLetterEarly(t *testing.T) {
	amqptest.Long(t)
	b := amqptest.StartBroker(t) // with the default of the setting
	for _, test := range []struct {
		name      string
		arguments map[string]any
		block     func(confirming, waiting)
		unblock   func(confirming, waiting)
		policy    bool // makes the broker retry
	}{
		{
			"gone", nil,
			func(ch confirming, w waiting) { _, err := ch.QueueDelete(w.main, false, false, false); ch.must(err) },
			func(ch confirming, w waiting) { ch.must(w.Declare(ch.Channel)) },
			true,
		},
		{
			"full", map[string]any{"x-max-length": 1},
			func(ch confirming, w waiting) {
				amqptest.Eventually(t, 10*time.Second, func() bool { return !ch.send(w.main, "fills it") }, "%s does not get full", w.main)
			},
			func(ch confirming, w waiting) { _, err := ch.QueuePurge(w.main, false); ch.must(err) },
			false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWaiting(t, test.name, 200*time.Millisecond, test.arguments)
			ch := confirmingOn(t, b)
			ch.must(w.Declare(ch.Channel))
			test.block(ch, w)
			if !ch.send(w.retry, "late") {
				t.Fatalf("%s takes no message", w.retry)
			}
			amqptest.Eventually(t, 10*time.Second, func() bool { return ch.depth(w.retry) == 0 }, "it is still in the retry queue")
			ch.comes(w.retry, 500*time.Millisecond) // it is with the broker's worker now
			test.unblock(ch, w)
			for _, try := range w.whatAClientCanDo() {
				try.do(ch)
				if ch.comes(w.main, time.Second) {
					t.Fatalf("it comes after %s", try.what)
				}
			}
			b.Ctl("set_policy", "--apply-to", "queues", "wake", "^"+w.retry+"$", `{"delivery-limit": 100}`)
			defer b.Ctl("clear_policy", "wake")
			if got := ch.comes(w.main, 3*time.Second); got != test.policy {
				t.Errorf("it comes after a policy for the retry queue was set: %v, want %v", got, test.policy)
			}
		})
	}
}

// try is something that could make the broker retry a dead letter.
type try struct {
	what string
	do   func(confirming)
}

func (w waiting) whatAClientCanDo() []try {
	return []try{
		{"nothing", func(confirming) {}},
		{"a new connection", func(ch confirming) {
			other := amqptest.DialURL(ch.t, ch.url)
			ch.must(other.Close())
		}},
		{"a declaration of both queues", func(ch confirming) { ch.must(w.Declare(ch.Channel)) }},
		{"a new exchange, and bindings of both", func(ch confirming) {
			ch.must(ch.ExchangeDeclare(w.main+"-events", "topic", true, false, false, false, nil))
			for _, q := range []string{w.main, w.retry} {
				ch.must(ch.QueueBind(q, q, w.main+"-events", false, nil))
			}
		}},
		{"bindings and an exchange deleted", func(ch confirming) {
			ch.must(ch.QueueUnbind(w.main, w.main, w.main+"-events", nil))
			ch.must(ch.ExchangeDelete(w.main+"-events", false, false))
		}},
		{"a get from both", func(ch confirming) {
			for _, q := range []string{w.main, w.retry} {
				if _, ok, err := ch.Get(q, false); ok || err != nil {
					ch.t.Fatalf("%s: a message is %v, %v", q, ok, err)
				}
			}
		}},
		{"consumers of both", func(ch confirming) {
			for _, q := range []string{w.main, w.retry} {
				_, err := ch.Consume(q, q, false, false, false, false, nil)
				ch.must(err)
				ch.must(ch.Cancel(q, false))
			}
		}},
		{"another dead letter of the same queue", func(ch confirming) {
			if !ch.send(w.retry, "another") {
				ch.t.Fatalf("%s takes no message", w.retry)
			}
			amqptest.Eventually(ch.t, 10*time.Second, func() bool {
				d, ok, err := ch.Get(w.main, true)
				ch.must(err)
				return ok && string(d.Body) == "another"
			}, "the other one does not come")
		}},
		{"a main queue deleted and declared", func(ch confirming) {
			_, err := ch.QueueDelete(w.main, false, false, false)
			ch.must(err)
			ch.must(w.Declare(ch.Channel))
		}},
	}
}
