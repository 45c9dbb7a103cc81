package consumertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

type order struct {
	ID int `json:"id"`
}

var errDown = errors.New("warehouse is down")

// handle acks orders that have an id, parks those that have none, and panics below zero.
func handle(_ context.Context, msg consumer.Message[order]) consumer.Result {
	switch {
	case msg.Payload.ID < 0:
		panic("negative id")
	case msg.Payload.ID == 0:
		return consumer.Error(errors.New("order has no id"))
	}
	return consumer.Ack()
}

func orders(h consumer.Handler) consumer.Spec {
	return consumer.Spec{Queue: "orders", Handler: h, Backoff: []time.Duration{10 * time.Second, time.Minute}}
}

func always(r consumer.Result) consumer.Handler {
	return func(context.Context, consumer.Delivery) consumer.Result { return r }
}

func TestDeliverEncodesDecodesAndSettlesAsProductionDoes(t *testing.T) {
	q := consumertest.New(t, orders(consumer.JSON(handle)))

	q.Deliver(order{7}).AssertAcked()
	q.Deliver(order{}).AssertParked(monitoring.ReasonError).AssertHeader("bunnicula-error", "order has no id")
	q.Deliver(order{-1}).AssertRetriedFor(monitoring.ReasonPanic, 10*time.Second)

	run := q.Deliver([]byte(`{"id":`)).AssertParked(monitoring.ReasonUndecodable)
	if run.Ran() {
		t.Error("the handler ran with a body that is not JSON")
	}
}

func TestResultIsWhatTheHandlerSaid(t *testing.T) {
	q := consumertest.New(t, orders(consumer.JSON(handle)))
	for _, row := range []struct {
		id   int
		want consumer.Result
	}{
		{7, consumer.Ack()},
		{0, consumer.Error(errors.New("order has no id"))},
		{-1, consumer.Result{}}, // it panicked
	} {
		if got := q.Result(order{row.id}); !got.Equal(row.want) {
			t.Errorf("order %d: %v, want %v", row.id, got, row.want)
		}
	}
}

func TestOptionsAreWhatTheHandlerSees(t *testing.T) {
	type key struct{}
	var value any
	q := consumertest.New(t, orders(consumer.Decode(publisher.Raw, func(ctx context.Context, _ consumer.Message[string]) consumer.Result {
		value = ctx.Value(key{})
		return consumer.Ack()
	})))
	run := q.Deliver("hello",
		consumertest.Attempt(3), consumertest.Header("tenant", 7), consumertest.MessageID("m-1"),
		consumertest.RoutingKey("order.placed"), consumertest.Exchange("shop"), consumertest.Codec(publisher.Raw),
		consumertest.Properties(func(d *amqp.Delivery) { d.Priority = 4 }),
		consumertest.Context(context.WithValue(t.Context(), key{}, "yes")), nil,
	).AssertAcked()

	seen := run.Seen()
	if seen.Attempt != 3 || seen.MaxRetries != 3 || seen.Headers["tenant"] != int64(7) || len(seen.Headers) != 1 ||
		seen.MessageID != "m-1" || seen.RoutingKey != "order.placed" || seen.Exchange != "shop" ||
		seen.ContentType != "application/octet-stream" || seen.Priority != 4 || string(seen.Body) != "hello" || value != "yes" {
		t.Errorf("the handler saw %+v, with the value %v", seen, value)
	}
}

func TestAMessagesWholeLifeIsRunInATest(t *testing.T) {
	q := consumertest.New(t, orders(always(consumer.Retry(errDown))))

	runs := q.Life(order{7}, consumertest.Header("tenant", "acme"))
	if len(runs) != 4 {
		t.Fatalf("delivered %d times, want once and 3 retries", len(runs))
	}
	runs[0].AssertRetried(10*time.Second).AssertHeader("retry-attempts", 1)
	runs[1].AssertRetried(time.Minute).AssertHeader("retry-attempts", 2)
	runs[2].AssertRetried(time.Minute).AssertHeader("retry-attempts", 3)
	runs[3].AssertParked(monitoring.ReasonRetriesExhausted).AssertError(errDown).AssertNoHeader("x-death")
	for i, r := range runs {
		seen := r.Seen()
		if seen.Attempt != i+1 || seen.RoutingKey != "orders" || seen.Exchange != "" || seen.MessageID != "message-1" || len(seen.Headers) != 1 {
			t.Errorf("delivery %d was seen as %+v", i+1, seen)
		}
	}
	if _, died := runs[1].Delivery.Headers["x-death"]; !died {
		t.Error("the copy came back without the x-death of its retry queue")
	}
}

func TestRedeliverDeliversTheSameMessageAgain(t *testing.T) {
	done := map[string]bool{}
	charged := 0
	q := consumertest.New(t, orders(func(_ context.Context, d consumer.Delivery) consumer.Result {
		if !done[d.MessageID] {
			done[d.MessageID] = true
			charged++
		}
		return consumer.Ack()
	}))
	first := q.Deliver(order{7}).AssertAcked()
	second := q.Redeliver(first).AssertAcked()
	if charged != 1 {
		t.Errorf("charged %d times", charged)
	}
	if first.Seen().Redelivered || !second.Seen().Redelivered || first.Seen().MessageID != second.Seen().MessageID {
		t.Errorf("first %+v, second %+v", first.Seen(), second.Seen())
	}
}

func TestAMessageThatIsRedeliveredTooOftenIsParkedAsCrashed(t *testing.T) {
	spec := orders(always(consumer.Ack()))
	spec.MaxCrashes = 3
	q := consumertest.New(t, spec)

	run := q.Deliver(order{7})
	run = q.Redeliver(run).AssertAcked()
	run = q.Redeliver(run)
	if run.Settlement.Copy == nil || run.Settlement.Copy.Queue != "orders-quarantine" || run.Ran() {
		t.Errorf("after the second death it is not set aside: %+v", run.Settlement)
	}
	run = q.Next(run).AssertAcked()
	run = q.Redeliver(run).AssertParked(monitoring.ReasonCrashed)
	if run.Ran() {
		t.Error("the handler ran a message that crashed too often")
	}
}

func TestNextComesBackWhenItsTimeHasCome(t *testing.T) {
	snoozed := false
	q := consumertest.New(t, orders(func(context.Context, consumer.Delivery) consumer.Result {
		if !snoozed {
			snoozed = true
			return consumer.Snooze(time.Hour)
		}
		return consumer.Ack()
	}))
	run := q.Deliver(order{7}).AssertSnoozed(time.Hour).AssertHeader("retry-attempts", 0)
	if run = q.Next(run).AssertAcked(); run.Seen().Attempt != 1 {
		t.Errorf("snoozing used an attempt: %d", run.Seen().Attempt)
	}
}

func TestACopyOfTheSchemeBunniculaComesBackThroughItsExchanges(t *testing.T) {
	q := consumertest.New(t, consumer.Spec{
		Queue: "orders", Scheme: topology.Bunnicula, Handler: always(consumer.Retry(nil)), MaxRetries: 1,
	})
	runs := q.Life(order{7})
	if d := runs[1].Delivery; d.Exchange != "orders-retry-requeue" || d.RoutingKey != "#" || d.Expiration != "" {
		t.Errorf("it came back from exchange %q with key %q and expiration %q", d.Exchange, d.RoutingKey, d.Expiration)
	}
	runs[1].AssertParked(monitoring.ReasonRetriesExhausted)
}

func TestASlowHandlerIsRetriedForItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := consumertest.New(t, orders(func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			<-ctx.Done()
			return consumer.Retry(ctx.Err())
		}))
		q.Deliver(order{7}).AssertRetriedFor(monitoring.ReasonTimeout, 10*time.Second).AssertError(context.DeadlineExceeded)
	})
}

func TestStopAfterInterruptsTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			<-ctx.Done()
			return consumer.Retry(ctx.Err())
		}
		q := consumertest.New(t, orders(waits))
		began := time.Now()
		run := q.Deliver(order{7}, consumertest.StopAfter(3*time.Second)).AssertInterrupted().AssertError(consumer.ErrStopping)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %s", took)
		}
		q.Next(run).AssertRetriedFor(monitoring.ReasonTimeout, 10*time.Second).AssertHeader("retry-attempts", 1)

		alone := orders(waits)
		alone.SingleActive = true
		q = consumertest.New(t, alone)
		run = q.Deliver(order{7}, consumertest.StopAfter(time.Second)).AssertInterrupted()
		if run = q.Next(run); !run.Seen().Redelivered {
			t.Error("a message that was given back came as a new one")
		}
	})
}

// fake records what a test would have reported.
type fake struct {
	testing.TB
	said string
}

func (f *fake) Helper() {}

func (f *fake) Error(args ...any) { f.said += fmt.Sprint(args...) }

func (f *fake) Fatal(args ...any) {
	f.said += fmt.Sprint(args...)
	panic(f)
}

func (f *fake) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }

// said runs a test that should fail, and returns what it reported.
func said(t *testing.T, test func(testing.TB)) string {
	f := &fake{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(f) {
				panic(p)
			}
		}()
		test(f)
	}()
	return f.said
}

func TestAFailedAssertionShowsTheDeliveryAndItsSettlement(t *testing.T) {
	retry := always(consumer.Retry(fmt.Errorf("reserve: %w", errDown)))
	for name, row := range map[string]struct {
		test func(testing.TB)
		want []string
	}{
		"another action": {
			func(t testing.TB) {
				consumertest.New(t, orders(retry)).Deliver(order{7}, consumertest.Header("tenant", "acme")).AssertAcked()
			},
			[]string{
				`want acked`, `queue "orders", message "message-1"`, `{"id":7}`, `attempt    1 of 4`, `Retry(reserve: warehouse is down)`,
				`retried for retry after 10s`, `(*fmt.wrapError)`, `orders-retry-10s`, `tenant: acme`, `retry-attempts: 1`,
			},
		},
		"another delay": {
			func(t testing.TB) { consumertest.New(t, orders(retry)).Deliver(order{7}).AssertRetried(time.Minute) },
			[]string{`want retried for retry after 1m0s`, `retried for retry after 10s`},
		},
		"another reason": {
			func(t testing.TB) {
				consumertest.New(t, orders(consumer.JSON(handle))).Deliver(order{-1}).AssertRetriedFor(monitoring.ReasonTimeout, 10*time.Second)
			},
			[]string{`want retried for timeout after 10s`, `retried for panic after 10s`, `panic: negative id`, `queue_test.go:`},
		},
		"another error": {
			func(t testing.TB) {
				consumertest.New(t, orders(retry)).Deliver(order{7}).AssertError(context.Canceled)
			},
			[]string{`want the error context canceled`, `warehouse is down`},
		},
		"an error": {
			func(t testing.TB) { consumertest.New(t, orders(retry)).Deliver(order{7}).AssertError(nil) },
			[]string{`want the error <nil>`, `warehouse is down`},
		},
		"another header": {
			func(t testing.TB) {
				consumertest.New(t, orders(retry)).Deliver(order{7}).AssertHeader("retry-attempts", 2)
			},
			[]string{`the header retry-attempts: 2, not 1`},
		},
		"a header that is missing": {
			func(t testing.TB) {
				consumertest.New(t, orders(always(consumer.Ack()))).Deliver(order{7}).AssertHeader("tenant", 2)
			},
			[]string{`a copy with the header tenant`, `acked`},
		},
		"a header that is there": {
			func(t testing.TB) {
				consumertest.New(t, orders(retry)).Deliver(order{7}).AssertNoHeader("retry-attempts")
			},
			[]string{`no header retry-attempts, it is 1`},
		},
		"a handler that was not run": {
			func(t testing.TB) {
				consumertest.New(t, orders(consumer.JSON(handle))).Deliver([]byte("{")).AssertSnoozed(time.Second)
			},
			[]string{`want snoozed after 1s`, `not run`, `parked for undecodable`, `orders-error`},
		},
		"Next of what does not come back": {
			func(t testing.TB) {
				q := consumertest.New(t, orders(always(consumer.Ack())))
				q.Next(q.Deliver(order{7}))
			},
			[]string{`want a message that comes back`, `acked`},
		},
		"Next of what was parked": {
			func(t testing.TB) {
				q := consumertest.New(t, orders(always(consumer.Error(nil))))
				q.Next(q.Deliver(order{7}))
			},
			[]string{`want a message that comes back`, `parked for error`},
		},
		"a Life without an end": {
			func(t testing.TB) { consumertest.New(t, orders(always(consumer.Snooze(0)))).Life(order{7}) },
			[]string{`acked or parked within 1000 deliveries`, `snoozed after 10s`},
		},
		"a bad Spec": {
			func(t testing.TB) { consumertest.New(t, consumer.Spec{Queue: "orders"}) },
			[]string{`consumer "orders"`, `Handler is nil`},
		},
		"a payload that cannot be encoded": {
			func(t testing.TB) { consumertest.New(t, orders(retry)).Deliver(func() {}) },
			[]string{`queue "orders": encode func()`},
		},
		"a codec that is nil": {
			func(t testing.TB) { consumertest.New(t, orders(retry)).Deliver(order{7}, consumertest.Codec(nil)) },
			[]string{`the codec is nil`},
		},
		"a header that AMQP has no type for": {
			func(t testing.TB) {
				consumertest.New(t, orders(retry)).Deliver(order{7}, consumertest.Header("tenant", make(chan int)))
			},
			[]string{`header "tenant": AMQP has no type for chan int`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := said(t, row.test)
			for _, want := range row.want {
				if !strings.Contains(got, want) {
					t.Errorf("the report lacks %q:\n%s", want, got)
				}
			}
		})
	}
}

func TestAnAssertionThatHoldsSaysNothing(t *testing.T) {
	if got := said(t, func(t testing.TB) {
		q := consumertest.New(t, orders(always(consumer.Retry(errDown))))
		q.Deliver(order{7}).AssertRetried(10*time.Second).AssertError(errDown).AssertHeader("bunnicula-queue", "orders")
		q.Deliver(order{7}, consumertest.Attempt(4)).AssertParked(monitoring.ReasonRetriesExhausted).AssertHeader("bunnicula-error", errDown.Error())
		q = consumertest.New(t, orders(always(consumer.Ack())))
		q.Deliver(order{7}).AssertAcked().AssertError(nil).AssertNoHeader("retry-attempts")
	}); got != "" {
		t.Error(got)
	}
}

func TestAMessageWithoutAnIDKeepsTheOneThatItIsGiven(t *testing.T) {
	var seen []consumer.Delivery
	q := consumertest.New(t, consumer.Spec{Queue: "orders", MaxRetries: 2, Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
		seen = append(seen, d)
		return consumer.Retry(nil)
	}})
	q.Life("x", consumertest.MessageID(""))
	if len(seen) != 3 {
		t.Fatalf("%d attempts", len(seen))
	}
	for _, d := range seen {
		if d.MessageID == "" || d.MessageID != seen[0].MessageID || !d.MessageIDGiven {
			t.Errorf("attempt %d has the id %q, given: %t", d.Attempt, d.MessageID, d.MessageIDGiven)
		}
	}
	if q.Deliver("x"); seen[3].MessageID == seen[0].MessageID || seen[3].MessageIDGiven {
		t.Errorf("the next message has the id %q, given: %t", seen[3].MessageID, seen[3].MessageIDGiven)
	}
}
