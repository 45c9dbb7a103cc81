package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Each row says where one message is after its first attempt. The consumer is stopped before the
// queues are read, so that what is unacked would be back in main.
func TestEachResultLeavesTheMessageWhereItShouldBe(t *testing.T) {
	boom := errors.New("boom")
	type where struct{ main, retry, parked int }
	for name, row := range map[string]struct {
		handler consumer.Handler
		change  func(*consumer.Spec)
		want    where
		action  monitoring.Action
		headers amqp.Table
	}{
		"Ack is acked": {handler: always(consumer.Ack()), action: monitoring.Acked},
		"Retry waits": {
			handler: always(consumer.Retry(boom)), want: where{retry: 1}, action: monitoring.Retried,
			headers: amqp.Table{"retry-attempts": int64(1), "bunnicula-reason": "retry", "bunnicula-error": "boom"},
		},
		"Retry without retries left is parked": {
			handler: always(consumer.Retry(boom)), change: func(s *consumer.Spec) { s.MaxRetries = consumer.NoRetries },
			want: where{parked: 1}, action: monitoring.Parked,
			headers: amqp.Table{"retry-attempts": int64(0), "bunnicula-reason": "retries-exhausted", "bunnicula-error": "boom"},
		},
		"RetryAfter waits and says until when": {
			handler: always(consumer.RetryAfter(3*time.Hour, boom)), want: where{retry: 1}, action: monitoring.Retried,
			headers: amqp.Table{"retry-attempts": int64(1)},
		},
		"Timeout waits as a timeout": {
			handler: always(consumer.Timeout(boom)), want: where{retry: 1}, action: monitoring.Retried,
			headers: amqp.Table{"retry-attempts": int64(1), "bunnicula-reason": "timeout", "bunnicula-error": "boom"},
		},
		"Snooze waits and uses no attempt": {
			handler: always(consumer.Snooze(time.Hour)), want: where{retry: 1}, action: monitoring.Snoozed,
			headers: amqp.Table{"retry-attempts": int64(0)},
		},
		"Error is parked": {
			handler: always(consumer.Error(boom)), want: where{parked: 1}, action: monitoring.Parked,
			headers: amqp.Table{"retry-attempts": int64(0), "bunnicula-reason": "error", "bunnicula-error": "boom"},
		},
		"the zero Result waits": {
			handler: always(consumer.Result{}), want: where{retry: 1}, action: monitoring.Retried,
			headers: amqp.Table{"retry-attempts": int64(1), "bunnicula-reason": "retry"},
		},
		"a panic waits": {
			handler: func(context.Context, consumer.Delivery) consumer.Result { panic("boom") },
			want:    where{retry: 1}, action: monitoring.Retried,
			headers: amqp.Table{"retry-attempts": int64(1), "bunnicula-reason": "panic", "bunnicula-error": "panic: boom"},
		},
		"Goexit waits": {
			handler: func(context.Context, consumer.Delivery) consumer.Result { runtime.Goexit(); return consumer.Ack() },
			want:    where{retry: 1}, action: monitoring.Retried,
			headers: amqp.Table{"bunnicula-reason": "panic", "bunnicula-error": "the handler called runtime.Goexit"},
		},
		"a timeout waits": {
			handler: func(ctx context.Context, _ consumer.Delivery) consumer.Result {
				<-ctx.Done()
				return consumer.Retry(ctx.Err())
			},
			change: func(s *consumer.Spec) { s.Timeout = 50 * time.Millisecond },
			want:   where{retry: 1}, action: monitoring.Retried,
			headers: amqp.Table{"retry-attempts": int64(1), "bunnicula-reason": "timeout"},
		},
		"a body that is not JSON is parked": {
			handler: consumer.JSON(func(context.Context, consumer.Message[map[string]int]) consumer.Result { return consumer.Ack() }),
			want:    where{parked: 1}, action: monitoring.Parked,
			headers: amqp.Table{"retry-attempts": int64(0), "bunnicula-reason": "undecodable"},
		},
	} {
		for _, queueType := range []topology.QueueType{topology.Quorum, topology.Classic} {
			t.Run(name+" on "+string(queueType), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				queue := amqptest.Queue(t, "settle")
				spec := consumer.Spec{Queue: queue, QueueType: queueType, Handler: row.handler, Backoff: []time.Duration{time.Hour}}
				if row.change != nil {
					row.change(&spec)
				}
				c := r.start(spec)
				r.publish(queue, "{")
				if o := r.outcomes(1)[0]; o.Action != row.action {
					t.Errorf("the outcome is %s, want %s", o.Action, row.action)
				}
				r.stop(c)

				depths(t, map[string]int{queue: row.want.main, queue + "-retry-1h": row.want.retry, queue + "-error": row.want.parked})
				if row.headers == nil {
					return
				}
				at := queue + "-retry-1h"
				if row.want.parked == 1 {
					at = queue + "-error"
				}
				d := amqptest.Get(t, at)
				want := maps.Clone(row.headers)
				if row.want.retry == 1 && want["bunnicula-reason"] != nil { // its history says why
					wantFailure(t, d, want)
					delete(want, "bunnicula-reason")
					delete(want, "bunnicula-error")
				}
				wantHeaders(t, d, want)
				if string(d.Body) != "{" || d.DeliveryMode != amqp.Persistent || d.MessageId == "" {
					t.Errorf("the copy is %+v", d)
				}
			})
		}
	}
}

// wantFailure says whether the history of a message that waits has the reason and the error of
// these headers, which the message itself is without.
func wantFailure(t *testing.T, d amqp.Delivery, want amqp.Table) {
	t.Helper()
	var all []struct{ Reason, Error string }
	if text, _ := d.Headers["bunnicula-history"].(string); json.Unmarshal([]byte(text), &all) != nil || len(all) != 1 {
		t.Fatalf("the history is %v", d.Headers["bunnicula-history"])
	}
	if all[0].Reason != want["bunnicula-reason"] || want["bunnicula-error"] != nil && all[0].Error != want["bunnicula-error"] {
		t.Errorf("it failed by %+v, want %v", all[0], want)
	}
	for _, name := range []string{"bunnicula-reason", "bunnicula-error", "bunnicula-stack"} {
		if d.Headers[name] != nil {
			t.Errorf("it has the header %s", name)
		}
	}
}

func TestAMessageThatFailsEveryTimeIsParkedWithItsReasonAndHistory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "life")
	var attempts []int
	c := r.start(consumer.Spec{
		Queue: queue, MaxRetries: 2, Backoff: []time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, Concurrency: 1,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			attempts = append(attempts, d.Attempt)
			return consumer.Retry(errors.New("order 17 is not there"))
		},
	})
	r.publish(queue, `{"order":17}`)
	r.outcomes(3)
	r.stop(c)
	if len(attempts) != 3 || attempts[0] != 1 || attempts[2] != 3 {
		t.Errorf("attempts were %v, want 1, 2, 3", attempts)
	}
	d := amqptest.Get(t, queue+"-error")
	wantHeaders(t, d, amqp.Table{
		"retry-attempts": int64(2), "bunnicula-reason": "retries-exhausted", "bunnicula-error": "order 17 is not there",
		"bunnicula-queue": queue, "bunnicula-consumer": queue, "bunnicula-app": "rig",
		"bunnicula-original-exchange": "", "bunnicula-original-routing-key": queue,
	})
	var history []struct {
		Attempt int
		Reason  string
		Error   string
	}
	if err := json.Unmarshal([]byte(header(t, d, "bunnicula-history").(string)), &history); err != nil {
		t.Fatal(err)
	}
	if len(history) != 3 || history[0].Attempt != 1 || history[1].Reason != "retry" || history[2].Reason != "retries-exhausted" {
		t.Errorf("history is %+v", history)
	}
	depths(t, map[string]int{queue: 0, queue + "-retry-100ms": 0, queue + "-retry-200ms": 0, queue + "-error": 0})
}

func TestAHandlerThatIgnoresItsTimeoutIsSettledAndKeepsItsSlot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "stuck")
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	c := r.start(consumer.Spec{
		Queue: queue, Timeout: 50 * time.Millisecond, Grace: 50 * time.Millisecond, Backoff: []time.Duration{time.Hour}, Concurrency: 2,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			if string(d.Body) == "stuck" {
				<-release
			}
			return consumer.Ack()
		},
	})
	r.publish(queue, "stuck")
	o := r.outcomes(1)[0]
	if o.Action != monitoring.Retried || o.Reason != monitoring.ReasonTimeout || !strings.Contains(o.Stack, "TestAHandlerThatIgnoresItsTimeout") {
		t.Errorf("the outcome is %s because %s, with the stack %q", o.Action, o.Reason, o.Stack)
	}
	depths(t, map[string]int{queue + "-retry-1h": 1})
	if h := c.Health(); h.Stuck != 1 || !h.Ready {
		t.Errorf("health is %+v, want one stuck and ready", h)
	}
	r.publish(queue, "fine")
	r.outcomes(2)

	r.publish(queue, "stuck")
	r.outcomes(3)
	amqptest.Eventually(t, 5*time.Second, func() bool { return !c.Health().Subscribed }, "with all slots stuck it should take nothing")
	if h := c.Health(); h.Ready || h.Stuck != 2 {
		t.Errorf("health is %+v, want two stuck and not ready", h)
	}
	r.publish(queue, "waits for somebody else")
	depths(t, map[string]int{queue: 1})
	release <- struct{}{}
	r.outcomes(4) // a slot is free again
	release <- struct{}{}
}

func TestHoldSettlesOnlyWhenTheHandlerReturns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "hold")
	release := make(chan struct{})
	c := r.start(consumer.Spec{
		Queue: queue, Timeout: 50 * time.Millisecond, Grace: 50 * time.Millisecond, Backoff: []time.Duration{time.Hour}, WhenStuck: consumer.Hold,
		Handler: func(context.Context, consumer.Delivery) consumer.Result { <-release; return consumer.Ack() },
	})
	r.publish(queue, "x")
	amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().Stuck == 1 }, "the handler is not known to be stuck")
	if n := len(r.ended.Outcomes()); n != 0 {
		t.Errorf("%d outcomes while the handler runs, want none", n)
	}
	close(release)
	if o := r.outcomes(1)[0]; o.Action != monitoring.Acked {
		t.Errorf("the outcome is %s, want acked: it did succeed", o.Action)
	}
	r.stop(c)
	depths(t, map[string]int{queue: 0, queue + "-retry-1h": 0, queue + "-error": 0})
}

// Brokers write few of the headers with these prefixes; the others are the publisher's.
func TestHeadersThatLookLikeABrokersAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "headers")
	headers := amqp.Table{"x-opt-tenant": "acme", "x-opt-table": amqp.Table{"k": "v"}, "x-stream-filter-value": "f", "x-mine": "m"}
	var seen []map[string]any
	r.start(consumer.Spec{
		Queue: queue, Concurrency: 1, Backoff: []time.Duration{time.Second},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			seen = append(seen, d.Headers)
			if d.Attempt == 1 {
				return consumer.Retry(errors.New("once more"))
			}
			return consumer.Error(errors.New("bad"))
		},
	})
	amqptest.Publish(t, "", queue, amqp.Publishing{DeliveryMode: amqp.Persistent, Headers: headers})
	r.outcomes(2)
	parked := amqptest.Get(t, queue+"-error")
	for name, value := range headers {
		for i, h := range append(seen, parked.Headers) {
			if !reflect.DeepEqual(h[name], value) {
				t.Errorf("%s is %v at attempt %d (3 is parked), want %v", name, h[name], i+1, value)
			}
		}
	}
}
