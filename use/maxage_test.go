package use_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

func TestAMessageThatIsTooOldIsNotTriedAgain(t *testing.T) {
	const max = time.Hour
	errStill := errors.New("still broken")
	for name, c := range map[string]struct {
		result consumer.Result
		old    time.Duration
		text   string // "" for the Result itself
	}{
		"Ack":                        {consumer.Ack(), 2 * max, ""},
		"Error":                      {consumer.Error(errStill), 2 * max, ""},
		"Retry":                      {consumer.Retry(errStill), 2 * max, "use: the message is 2h0m0s old, MaxAge is 1h0m0s: still broken"},
		"Retry, just old enough":     {consumer.Retry(errStill), max, "use: the message is 1h0m0s old, MaxAge is 1h0m0s: still broken"},
		"Retry, younger":             {consumer.Retry(errStill), max - time.Second, ""},
		"Retry without an error":     {consumer.Retry(nil), 2 * max, "use: the message is 2h0m0s old, MaxAge is 1h0m0s"},
		"zero":                       {consumer.Result{}, 2 * max, "use: the message is 2h0m0s old, MaxAge is 1h0m0s"},
		"Timeout":                    {consumer.Timeout(errStill), 2 * max, "use: the message is 2h0m0s old, MaxAge is 1h0m0s: still broken"},
		"Snooze":                     {consumer.Snooze(time.Minute), 2 * max, "use: the message is 2h0m0s old, MaxAge is 1h0m0s: it was to snooze for 1m0s"},
		"Snooze, younger":            {consumer.Snooze(time.Minute), max / 2, ""},
		"Snooze until it is old":     {consumer.Snooze(max), max / 2, "use: the message is 30m0s old and would wait 1h0m0s, MaxAge is 1h0m0s: it was to snooze for 1h0m0s"},
		"Snooze for ever":            {consumer.SnoozeBecause(1<<63-1, errStill), 0, "use: the message is 0s old and would wait 2562047h47m16.854775807s, MaxAge is 1h0m0s: still broken"},
		"RetryAfter until it is old": {consumer.RetryAfter(max, errStill), max / 2, "use: the message is 30m0s old and would wait 1h0m0s, MaxAge is 1h0m0s: still broken"},
		"from the future":            {consumer.Retry(errStill), -max, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := use.MaxAge(max)(func(context.Context, consumer.Delivery) consumer.Result { return c.result })
				got := h(t.Context(), consumer.Delivery{Since: time.Now().Add(-c.old)})
				if c.text == "" {
					if !got.Equal(c.result) {
						t.Errorf("got %v, want %v", got, c.result)
					}
					return
				}
				if !got.Errored() || got.Err().Error() != c.text {
					t.Errorf("got %v\nwant Error(%s)", got, c.text)
				}
				if c.result.Err() != nil && !errors.Is(got.Err(), errStill) {
					t.Error("the Error does not wrap the cause")
				}
				if got := h(t.Context(), consumer.Delivery{}); !got.Equal(c.result) {
					t.Errorf("without an age: got %v, want %v", got, c.result)
				}
			})
		})
	}
}

// The consumer takes an Error of a context that has ended for a timeout, and retries.
func TestATimeoutOfAnOldMessageIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, h := range map[string]consumer.Handler{
			"Retry": func(ctx context.Context, _ consumer.Delivery) consumer.Result { return hangs(ctx) },
			"Timeout": func(ctx context.Context, _ consumer.Delivery) consumer.Result {
				return consumer.Timeout(hangs(ctx).Err())
			},
		} {
			q := consumertest.New(t, consumer.Spec{
				Queue: "orders", Timeout: time.Second, Handler: h, Use: []consumer.Middleware{use.MaxAge(time.Hour)},
			})
			q.Deliver("young").AssertRetriedFor(monitoring.ReasonTimeout, time.Minute)
			run := q.Deliver("old", published(time.Hour)).AssertParked(monitoring.ReasonError)
			if text := run.Settlement.Err.Error(); !strings.Contains(text, "MaxAge is 1h0m0s: context deadline exceeded") {
				t.Errorf("%s: the error is %q", name, text)
			}
		}
	})
}

// published makes a message that was published so long ago.
func published(ago time.Duration) consumertest.Option {
	return consumertest.Properties(func(d *amqp.Delivery) { d.Timestamp = time.Now().Add(-ago) })
}

// What has no bound of its own, a snooze and an open breaker, is bounded by MaxAge.
func TestMaxAgeBoundsSnoozesAndABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service{do: broken}
		q := consumertest.New(t, consumer.Spec{
			Queue: "orders", Handler: s.handle, Delays: topology.Ladder,
			Use: []consumer.Middleware{use.MaxAge(time.Hour), use.Breaker{Failures: 1}.New()},
		})
		q.Deliver("x").AssertSnoozed(10 * time.Second)
		run := q.Deliver("old", published(time.Hour)).AssertParked(monitoring.ReasonError).AssertError(use.ErrDown)
		if s.called() != 1 {
			t.Error("the service was called while the breaker was open")
		}
		if text := run.Settlement.Err.Error(); !strings.HasPrefix(text, "use: the message is 1h0m5s old") {
			t.Errorf("the error is %q", text)
		}
	})
}

// A copy has a timestamp, also that of a message that came without one.
func TestAMessageWithoutATimestampIsAsOldAsItsFirstCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service{do: broken}
		q := consumertest.New(t, consumer.Spec{Queue: "orders", Handler: s.handle, MaxRetries: 9, Use: []consumer.Middleware{use.MaxAge(time.Hour)}})
		run := q.Deliver("x", consumertest.Properties(func(d *amqp.Delivery) { d.Timestamp = time.Time{} }))
		run.AssertRetried(time.Minute)
		time.Sleep(59 * time.Minute)
		run = q.Next(run).AssertRetried(time.Minute)
		time.Sleep(time.Minute)
		q.Next(run).AssertParked(monitoring.ReasonError)
	})
}

// A message whose turn comes too late is parked before it waits for it.
func TestMaxAgeParksWhatALineIsTooLongFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustLimiter(t, use.Limit{Events: 1})
		q := consumertest.New(t, consumer.Spec{
			Queue: "orders", Concurrency: 10, Delays: topology.Ladder, Handler: handled,
			Use: []consumer.Middleware{use.MaxAge(time.Minute), use.RatePerKey(l, account)},
		})
		parked := 0
		for range 600 {
			if q.Deliver("flood", published(0)).Result().Errored() {
				parked++
			}
		}
		if parked < 530 || parked > 545 {
			t.Errorf("%d of 600 messages are parked, want what does not fit a minute", parked)
		}
		for range 12 { // meanwhile those that were not parked would have been handled
			time.Sleep(10 * time.Second)
			q.Deliver("now and then", published(0)).AssertAcked()
		}
		time.Sleep(10 * time.Second)
		for range 10 {
			if r := q.Deliver("new", published(0)).Result(); r.Errored() {
				t.Errorf("a message of a key that is idle came to %v", r)
			}
		}
	})
}
