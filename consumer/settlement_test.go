package consumer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// patient has retries after 1 s, 10 s, 10 s and 10 s, and a queue of a minute for whoever asks.
func patient(change func(*Spec)) Spec {
	return spec(func(s *Spec) {
		s.MaxRetries, s.Backoff, s.Delays = 4, []time.Duration{time.Second, 10 * time.Second}, []time.Duration{time.Minute}
		if change != nil {
			change(s)
		}
	})
}

const (
	mainQueue  = "orders"
	errorQueue = "orders-error"
)

// Each row of the table in docs/DESIGN.md: what the attempt gave, and what is done about it.
func TestSettlements(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	panicked := errors.New("panic: boom")
	for name, row := range map[string]struct {
		attempt int
		ending  ending
		change  func(*Spec)

		want      said
		err       error
		to        string // the queue of the copy; "" is none
		attempts  int64  // of the copy
		notBefore time.Duration
		givenBack bool
		stack     string
	}{
		"Ack": {attempt: 1, ending: ending{result: Ack()}, want: said{action: monitoring.Acked}},
		"Ack on the last attempt": {
			attempt: 5, ending: ending{result: Ack()}, want: said{action: monitoring.Acked},
		},
		"the first Retry": {
			attempt: 1, ending: ending{result: Retry(errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, time.Second}, err: errBoom, to: "orders-retry-1s", attempts: 1,
		},
		"the second Retry": {
			attempt: 2, ending: ending{result: Retry(errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, 10 * time.Second}, err: errBoom, to: "orders-retry-10s", attempts: 2,
		},
		"the last Retry waits as the one before": {
			attempt: 4, ending: ending{result: Retry(errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, 10 * time.Second}, err: errBoom, to: "orders-retry-10s", attempts: 4,
		},
		"Retry without one left": {
			attempt: 5, ending: ending{result: Retry(errBoom)},
			want: said{monitoring.Parked, monitoring.ReasonRetriesExhausted, 0}, err: errBoom, to: errorQueue, attempts: 4,
		},
		"Retry of nil": {
			attempt: 1, ending: ending{result: Retry(nil)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, time.Second}, to: "orders-retry-1s", attempts: 1,
		},
		"Retry of nil without one left": {
			attempt: 5, ending: ending{result: Retry(nil)},
			want: said{monitoring.Parked, monitoring.ReasonRetriesExhausted, 0}, to: errorQueue, attempts: 4,
		},
		"NoRetries": {
			attempt: 1, ending: ending{result: Retry(errBoom)}, change: func(s *Spec) { s.MaxRetries = NoRetries },
			want: said{monitoring.Parked, monitoring.ReasonRetriesExhausted, 0}, err: errBoom, to: errorQueue,
		},
		"the zero Result": {
			attempt: 1, ending: ending{},
			want: said{monitoring.Retried, monitoring.ReasonRetry, time.Second}, err: decide.ErrZero, to: "orders-retry-1s", attempts: 1,
		},
		"the zero Result on the last attempt": {
			attempt: 5, ending: ending{},
			want: said{monitoring.Parked, monitoring.ReasonRetriesExhausted, 0}, err: decide.ErrZero, to: errorQueue, attempts: 4,
		},

		"RetryAfter a delay that a queue has": {
			attempt: 2, ending: ending{result: RetryAfter(time.Minute, errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, time.Minute}, err: errBoom, to: "orders-retry-1m", attempts: 2,
		},
		"RetryAfter less than the shortest": {
			attempt: 1, ending: ending{result: RetryAfter(time.Millisecond, errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, time.Second}, err: errBoom, to: "orders-retry-1s", attempts: 1,
		},
		"RetryAfter nothing": {
			attempt: 1, ending: ending{result: RetryAfter(0, errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, time.Second}, err: errBoom, to: "orders-retry-1s", attempts: 1,
		},
		"RetryAfter a delay between two": {
			attempt: 1, ending: ending{result: RetryAfter(25*time.Second, errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, 25 * time.Second}, err: errBoom, to: "orders-retry-10s", attempts: 1, notBefore: 25 * time.Second,
		},
		"RetryAfter more than the longest": {
			attempt: 1, ending: ending{result: RetryAfter(time.Hour, errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonRetry, time.Hour}, err: errBoom, to: "orders-retry-1m", attempts: 1, notBefore: time.Hour,
		},
		"RetryAfter without a retry left": {
			attempt: 5, ending: ending{result: RetryAfter(time.Hour, errBoom)},
			want: said{monitoring.Parked, monitoring.ReasonRetriesExhausted, 0}, err: errBoom, to: errorQueue, attempts: 4,
		},

		"Timeout": {
			attempt: 2, ending: ending{result: Timeout(errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonTimeout, 10 * time.Second}, err: errBoom, to: "orders-retry-10s", attempts: 2,
		},
		"Timeout of nil": {
			attempt: 1, ending: ending{result: Timeout(nil)},
			want: said{monitoring.Retried, monitoring.ReasonTimeout, time.Second}, to: "orders-retry-1s", attempts: 1,
		},
		"Timeout without a retry left": {
			attempt: 5, ending: ending{result: Timeout(errBoom)},
			want: said{monitoring.Parked, monitoring.ReasonTimeout, 0}, err: errBoom, to: errorQueue, attempts: 4,
		},
		"Timeout of a handler that was interrupted": {
			attempt: 3, ending: ending{interrupted: true, result: Timeout(errBoom)},
			want: said{monitoring.Interrupted, monitoring.ReasonNone, 0}, err: ErrStopping, to: mainQueue, attempts: 2,
		},

		"Snooze": {
			attempt: 2, ending: ending{result: Snooze(time.Minute)},
			want: said{monitoring.Snoozed, monitoring.ReasonNone, time.Minute}, to: "orders-retry-1m", attempts: 1,
		},
		"Snooze between two": {
			attempt: 1, ending: ending{result: Snooze(59 * time.Second)},
			want: said{monitoring.Snoozed, monitoring.ReasonNone, 59 * time.Second}, to: "orders-retry-10s", notBefore: 59 * time.Second,
		},
		"Snooze on the last attempt": {
			attempt: 5, ending: ending{result: Snooze(0)},
			want: said{monitoring.Snoozed, monitoring.ReasonNone, time.Second}, to: "orders-retry-1s", attempts: 4,
		},
		"Snooze with a reason": {
			attempt: 2, ending: ending{result: SnoozeBecause(time.Minute, errBoom)},
			want: said{monitoring.Snoozed, monitoring.ReasonNone, time.Minute}, err: errBoom, to: "orders-retry-1m", attempts: 1,
		},
		"Snooze with NoRetries": {
			attempt: 1, ending: ending{result: Snooze(0)}, change: func(s *Spec) { s.MaxRetries = NoRetries },
			want: said{monitoring.Snoozed, monitoring.ReasonNone, time.Second}, to: "orders-retry-1s",
		},

		"Error": {
			attempt: 1, ending: ending{result: Error(errBoom)},
			want: said{monitoring.Parked, monitoring.ReasonError, 0}, err: errBoom, to: errorQueue,
		},
		"Error after two retries": {
			attempt: 3, ending: ending{result: Error(errBoom)},
			want: said{monitoring.Parked, monitoring.ReasonError, 0}, err: errBoom, to: errorQueue, attempts: 2,
		},
		"Error of nil": {
			attempt: 1, ending: ending{result: Error(nil)},
			want: said{monitoring.Parked, monitoring.ReasonError, 0}, to: errorQueue,
		},
		"an error queue of another name": {
			attempt: 1, ending: ending{result: Error(errBoom)}, change: func(s *Spec) { s.ErrorQueue = "broken" },
			want: said{monitoring.Parked, monitoring.ReasonError, 0}, err: errBoom, to: "broken",
		},

		"a panic": {
			attempt: 1, ending: ending{panicked: panicked, stack: "at line 1"},
			want: said{monitoring.Retried, monitoring.ReasonPanic, time.Second}, err: panicked, to: "orders-retry-1s", attempts: 1, stack: "at line 1",
		},
		"a panic on the last attempt": {
			attempt: 5, ending: ending{panicked: panicked, stack: "at line 1"},
			want: said{monitoring.Parked, monitoring.ReasonPanic, 0}, err: panicked, to: errorQueue, attempts: 4, stack: "at line 1",
		},
		"a timeout": {
			attempt: 1, ending: ending{timedOut: true, stack: "at line 1"},
			want: said{monitoring.Retried, monitoring.ReasonTimeout, time.Second}, err: context.DeadlineExceeded, to: "orders-retry-1s", attempts: 1, stack: "at line 1",
		},
		"a timeout on the last attempt": {
			attempt: 5, ending: ending{timedOut: true, result: Retry(errBoom)},
			want: said{monitoring.Parked, monitoring.ReasonTimeout, 0}, err: errBoom, to: errorQueue, attempts: 4,
		},
		"a timeout and RetryAfter": {
			attempt: 1, ending: ending{timedOut: true, result: RetryAfter(time.Hour, errBoom)},
			want: said{monitoring.Retried, monitoring.ReasonTimeout, time.Second}, err: errBoom, to: "orders-retry-1s", attempts: 1,
		},
		"a timeout and Snooze": {
			attempt: 5, ending: ending{timedOut: true, result: Snooze(time.Minute), stack: "at line 1"},
			want: said{monitoring.Snoozed, monitoring.ReasonNone, time.Minute}, to: "orders-retry-1m", attempts: 4,
		},
		"a timeout and Snooze because of it": {
			attempt: 1, ending: ending{timedOut: true, result: SnoozeBecause(25*time.Second, fmt.Errorf("query: %w", context.DeadlineExceeded))},
			want: said{monitoring.Snoozed, monitoring.ReasonNone, 25 * time.Second}, err: context.DeadlineExceeded, to: "orders-retry-10s", notBefore: 25 * time.Second,
		},
		"a timeout, a panic and Snooze": {
			attempt: 1, ending: ending{timedOut: true, panicked: panicked, stack: "at line 1", result: Snooze(time.Minute)},
			want: said{monitoring.Retried, monitoring.ReasonPanic, time.Second}, err: panicked, to: "orders-retry-1s", attempts: 1, stack: "at line 1",
		},
		"interrupted and Snooze": {
			attempt: 3, ending: ending{interrupted: true, result: SnoozeBecause(time.Minute, errBoom)},
			want: said{monitoring.Interrupted, monitoring.ReasonNone, 0}, err: ErrStopping, to: mainQueue, attempts: 2,
		},
		"a timeout and Ack": {
			attempt: 1, ending: ending{timedOut: true, result: Ack()}, want: said{action: monitoring.Acked},
		},
		"a timeout and Error": {
			attempt: 1, ending: ending{timedOut: true, result: Error(errBoom)},
			want: said{monitoring.Parked, monitoring.ReasonError, 0}, err: errBoom, to: errorQueue,
		},
		"a timeout and Error of it": {
			attempt: 1, ending: ending{timedOut: true, result: Error(fmt.Errorf("query: %w", context.Canceled))},
			want: said{monitoring.Retried, monitoring.ReasonTimeout, time.Second}, err: context.Canceled, to: "orders-retry-1s", attempts: 1,
		},

		"not to be decoded": {
			attempt: 1, ending: ending{result: undecodable(errBoom)},
			want: said{monitoring.Parked, monitoring.ReasonUndecodable, 0}, err: errBoom, to: errorQueue,
		},
		"interrupted": {
			attempt: 3, ending: ending{interrupted: true, result: Retry(errBoom)},
			want: said{monitoring.Interrupted, monitoring.ReasonNone, 0}, err: ErrStopping, to: mainQueue, attempts: 2,
		},
		"interrupted on the last attempt": {
			attempt: 5, ending: ending{interrupted: true, result: Error(errBoom)},
			want: said{monitoring.Interrupted, monitoring.ReasonNone, 0}, err: ErrStopping, to: mainQueue, attempts: 4,
		},
		"interrupted and panicked": {
			attempt: 1, ending: ending{interrupted: true, panicked: panicked},
			want: said{monitoring.Interrupted, monitoring.ReasonNone, 0}, err: ErrStopping, to: mainQueue,
		},
		"interrupted and Ack": {
			attempt: 1, ending: ending{interrupted: true, result: Ack()}, want: said{action: monitoring.Acked},
		},
		"interrupted, alone in its queue": {
			attempt: 1, ending: ending{interrupted: true, result: Retry(errBoom)}, change: func(s *Spec) { s.SingleActive = true },
			want: said{monitoring.Interrupted, monitoring.ReasonNone, 0}, err: ErrStopping, givenBack: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := quiet(t, patient(row.change))
			d := decoded(c, delivery(amqp.Table{"retry-attempts": int64(row.attempt - 1), "bunnicula-queue": "orders"}))
			if d.facts.Attempt != row.attempt {
				t.Fatalf("attempt %d", d.facts.Attempt)
			}
			s := c.settlement(d, row.ending, now)
			if in(s) != row.want || (s.Deed == DeedLeave) != row.givenBack || early(s) || s.Stack != row.stack {
				t.Errorf("%+v, want %+v", s, row.want)
			}
			if row.err == nil && s.Err != nil || row.err != nil && !errors.Is(s.Err, row.err) {
				t.Errorf("the error is %v, want %v", s.Err, row.err)
			}
			if (s.Group != "") != (s.Reason != monitoring.ReasonNone) {
				t.Errorf("reason %q, group %q", s.Reason, s.Group)
			}
			if got := queueOf(c, s); got != row.to {
				t.Fatalf("the copy goes to %q, want %q", got, row.to)
			}
			if s.Copy == nil {
				return
			}
			if s.Copy.Exchange != "" || s.Copy.Expiration != "" {
				t.Errorf("exchange %q, expiration %q", s.Copy.Exchange, s.Copy.Expiration)
			}
			if attempts(s) != row.attempts {
				t.Errorf("the copy has %v attempts, want %d", s.Copy.Headers["retry-attempts"], row.attempts)
			}
			var notBefore any
			if row.notBefore > 0 {
				notBefore = now.Add(row.notBefore).Format("2006-01-02T15:04:05.000Z")
			}
			if got := s.Copy.Headers["bunnicula-not-before"]; got != notBefore {
				t.Errorf("not-before is %v, want %v", got, notBefore)
			}
		})
	}
}

func TestSettlementsArePure(t *testing.T) {
	now := time.Now()
	c := quiet(t, patient(nil))
	for _, e := range []ending{
		{result: Ack()}, {result: Retry(errBoom)}, {result: RetryAfter(time.Hour, errBoom)}, {result: Snooze(time.Hour)},
		{result: Error(errBoom)}, {panicked: errBoom, stack: "at line 1"}, {timedOut: true}, {interrupted: true}, {result: undecodable(errBoom)},
	} {
		raw := delivery(everyType())
		want := c.settlement(decoded(c, raw), e, now)
		for range 5 {
			if got := c.settlement(decoded(c, raw), e, now); !reflect.DeepEqual(got, want) {
				t.Errorf("%v: %+v\nand then\n%+v", e, want, got)
			}
		}
		if !reflect.DeepEqual(raw, delivery(everyType())) {
			t.Errorf("%v: the delivery was changed", e)
		}
	}
}

// A message that waits longer than any queue passes several, and its handler is not run before
// its time.
func TestAMessageThatComesEarlyGoesRoundWithoutAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		c := quiet(t, patient(func(s *Spec) {
			s.Handler = func(context.Context, Delivery) Result { runs++; return RetryAfter(25*time.Second, errBoom) }
		}))
		began := time.Now()
		s := c.Process(t.Context(), delivery(nil))
		var passed []string
		for early(s) || runs == 1 && len(passed) == 0 {
			queue := queueOf(c, s)
			passed = append(passed, queue)
			time.Sleep(delayOf(c, s))
			if raw := back(s); time.Since(began) < 25*time.Second {
				s = c.Process(t.Context(), raw)
				if !early(s) || s.Action != 0 || s.Reason != monitoring.ReasonNone || attempts(s) != 1 || s.Err != nil || s.Group != "" {
					t.Fatalf("after %s: %+v", time.Since(began), s)
				}
				continue
			}
			s = c.Process(t.Context(), back(s))
		}
		if want := []string{"orders-retry-10s", "orders-retry-10s", "orders-retry-1s", "orders-retry-1s", "orders-retry-1s", "orders-retry-1s", "orders-retry-1s"}; !reflect.DeepEqual(passed, want) {
			t.Errorf("it passed %v, want %v", passed, want)
		}
		if runs != 2 || time.Since(began) != 25*time.Second || attempts(s) != 2 {
			t.Errorf("after %s the handler ran %d times", time.Since(began), runs)
		}
	})
}

func TestAnEarlyMessageGoesToTheLargestDelayThatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, row := range map[time.Duration]struct {
			to    string
			again bool // it will come early again
		}{
			25 * time.Second:       {"orders-retry-10s", true},
			10 * time.Second:       {"orders-retry-10s", false},
			9 * time.Second:        {"orders-retry-1s", true},
			time.Second:            {"orders-retry-1s", false},
			100 * time.Millisecond: {"orders-retry-1s", false}, // the shortest waits too long, which is allowed
			time.Hour:              {"orders-retry-1m", true},
			200 * 365 * 24 * time.Hour: {
				"orders-retry-1m", true,
			},
		} {
			at := time.Now().Add(left).UTC().Format("2006-01-02T15:04:05.000Z")
			c := quiet(t, patient(func(s *Spec) {
				s.Handler = func(context.Context, Delivery) Result { t.Errorf("%s early: the handler ran", left); return Ack() }
			}))
			s := c.Process(t.Context(), delivery(amqp.Table{"bunnicula-not-before": at, "bunnicula-queue": "orders", "retry-attempts": int64(4)}))
			if !early(s) || queueOf(c, s) != row.to || attempts(s) != 4 || s.Delay < left {
				t.Errorf("%s early: %+v", left, s)
			}
			if _, again := s.Copy.Headers["bunnicula-not-before"]; again != row.again {
				t.Errorf("%s early: not-before is kept: %t", left, again)
			}
		}
	})
}

func TestClocksMayDifferALittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, want := range map[time.Duration]bool{
			-time.Hour: false, 0: false, 49 * time.Millisecond: false, 50 * time.Millisecond: true,
		} {
			at := time.Now().Add(left).UTC().Format("2006-01-02T15:04:05.000Z")
			if s := process(t, patient(nil), delivery(amqp.Table{"bunnicula-not-before": at})); early(s) != want {
				t.Errorf("%s early: goes round %t, want %t", left, early(s), want)
			}
		}
	})
}

// Even a stop that cancels handlers meanwhile lets no handler begin early.
func TestAMessageThatComesAMomentEarlyIsHandledWhenItIsDue(t *testing.T) {
	for _, stopping := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			due := time.Now().Add(49 * time.Millisecond)
			ran := time.Time{}
			c := quiet(t, patient(func(s *Spec) {
				s.Handler = func(context.Context, Delivery) Result { ran = time.Now(); return Ack() }
			}))
			if stopping {
				c.stages.cancelHandlers(ErrStopping)
			}
			s := c.Process(t.Context(), delivery(amqp.Table{"bunnicula-not-before": due.UTC().Format("2006-01-02T15:04:05.000Z")}))
			if s.Action != monitoring.Acked || !ran.Equal(due) {
				t.Errorf("stopping %t: %v, %s before its time", stopping, s.Action, due.Sub(ran))
			}
		})
	}
}

func TestASnoozeThatIsInterruptedStillWaitsForItsTime(t *testing.T) {
	c := quiet(t, patient(nil))
	at := "2026-05-04T03:02:01.500Z"
	d := decoded(c, delivery(amqp.Table{"bunnicula-not-before": at}))
	s := c.settlement(d, ending{interrupted: true}, time.Now())
	if s.Copy.Headers["bunnicula-not-before"] != at {
		t.Error(s.Copy.Headers)
	}
}

func TestAMessageThatCameBackTwiceIsSetAside(t *testing.T) {
	for name, row := range map[string]struct {
		count  any
		change func(*Spec)
		aside  bool
		fresh  bool // the broker does not say that it delivered it before
	}{
		"the first time":               {nil, nil, false, false},
		"the first time, on 3.10":      {int64(0), nil, false, false},
		"once":                         {int64(1), nil, false, false},
		"twice":                        {int64(2), nil, true, false},
		"as often as MaxCrashes":       {int64(10), nil, true, false},
		"in a single active consumer":  {int64(50), func(s *Spec) { s.SingleActive = true }, false, false},
		"in a classic queue":           {int64(50), func(s *Spec) { s.QueueType = topology.Classic }, false, false},
		"in Bunnicula's scheme":        {int64(50), func(s *Spec) { s.Scheme = topology.Bunnicula }, false, false},
		"as often as nobody can count": {"many", nil, false, false},
		"by another broker":            {count: int64(50), fresh: true}, // a shovel brings headers along
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			raw := delivery(amqp.Table{"x-delivery-count": row.count, "retry-attempts": int64(2), "mine": "x"})
			raw.Redelivered = !row.fresh
			if row.count == nil {
				delete(raw.Headers, "x-delivery-count")
			}
			s := process(t, spec(func(s *Spec) {
				s.Handler = func(context.Context, Delivery) Result { ran = true; return Ack() }
				if row.change != nil {
					row.change(s)
				}
			}), raw)
			if ran == row.aside || aside(s) != row.aside {
				t.Errorf("the handler ran: %t, aside: %t", ran, aside(s))
			}
			if !row.aside {
				return
			}
			if h := s.Copy.Headers; s.Copy.RoutingKey != "orders-quarantine" || attempts(s) != 2 || h["mine"] != "x" || h["x-delivery-count"] != nil || h["bunnicula-reason"] != nil {
				t.Errorf("%+v", s.Copy)
			}
		})
	}
}

func TestAMessageInQuarantineIsParkedAsCrashedBeforeItsHandlerRuns(t *testing.T) {
	for name, row := range map[string]struct {
		count, max int
		crashed    bool
	}{
		"the first time":      {0, 3, false},
		"after one death":     {1, 3, true}, // and two before
		"one below":           {7, 10, false},
		"at the limit":        {8, 10, true},
		"beyond it":           {9, 10, true},
		"far below another":   {50, 99, false},
		"at the largest one":  {97, 99, true},
		"below the least one": {0, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			raw := delivery(amqp.Table{"x-delivery-count": int64(row.count), "retry-attempts": int64(2), "bunnicula-queue": "orders"})
			raw.Redelivered, raw.RoutingKey = row.count > 0, "orders-quarantine"
			c := quiet(t, spec(func(s *Spec) {
				s.MaxCrashes = row.max
				s.Handler = func(context.Context, Delivery) Result { ran = true; return Ack() }
			}))
			s := c.Process(t.Context(), raw)
			if ran == row.crashed {
				t.Errorf("the handler ran: %t", ran)
			}
			if !row.crashed {
				return
			}
			if !aside(s) || s.Copy.Headers["bunnicula-crashes"] != int64(row.count) || s.Action != 0 {
				t.Fatalf("it has no hearing: %+v", s)
			}
			s = heard(c, s, hearing-time.Second)
			if !aside(s) || s.Copy.Headers["bunnicula-crashes"] != int64(row.count) || s.Action != 0 {
				t.Fatalf("its hearing is over too soon: %+v", s)
			}
			s = heard(c, s, hearing)
			if ran {
				t.Error("the handler ran")
			}
			if in(s) != (said{monitoring.Parked, monitoring.ReasonCrashed, 0}) || !errors.Is(s.Err, decide.ErrCrashed) || s.Group == "" {
				t.Errorf("%+v", s)
			}
			if s.Copy.RoutingKey != errorQueue || attempts(s) != 2 || s.Copy.Headers["bunnicula-reason"] != "crashed" || s.Copy.Headers["x-delivery-count"] != nil {
				t.Errorf("%+v", s.Copy)
			}
		})
	}
}

// heard is what becomes of a message whose hearing began that long ago.
func heard(c *Consumer, s Settlement, ago time.Duration) Settlement {
	raw := back(s)
	raw.RoutingKey = "orders-quarantine"
	raw.Headers["bunnicula-crashed-at"] = time.Now().Add(-ago).UTC().Format(time.RFC3339Nano)
	return c.Process(context.Background(), raw)
}

// A stranger, or a host whose clock is years ahead, has written when the hearing began.
func TestAHearingThatBeginsInTheFutureBeginsNow(t *testing.T) {
	c := quiet(t, spec(func(s *Spec) { s.MaxCrashes = 3 }))
	for at, begins := range map[string]bool{
		"9999-12-31T23:59:59Z": true, time.Now().Add(2 * time.Hour).UTC().Format(time.RFC3339): true, time.Now().Add(time.Minute).UTC().Format(time.RFC3339): false,
	} {
		raw := delivery(amqp.Table{"x-delivery-count": int64(8), "bunnicula-queue": "orders", "bunnicula-crashed-at": at})
		raw.Redelivered, raw.RoutingKey = true, "orders-quarantine"
		s := c.Process(t.Context(), raw)
		if !aside(s) {
			t.Fatalf("%s: it has no hearing: %+v", at, s)
		}
		began, err := time.Parse(time.RFC3339Nano, fmt.Sprint(s.Copy.Headers["bunnicula-crashed-at"]))
		if err != nil || (time.Until(began) < time.Second) != begins {
			t.Errorf("%s: the hearing begins at %v, %v", at, began, err)
		}
	}
}

// The broker counts a lost connection like a death. The process that has lost it and lives takes
// the message off the list of killers, and runs its handler.
func TestInItsHearingAMessageIsHandledByWhoSurvivedIt(t *testing.T) {
	ran := false
	c := quiet(t, spec(func(s *Spec) {
		s.MaxCrashes = 3
		s.Handler = func(context.Context, Delivery) Result { ran = true; return Ack() }
	}))
	raw := delivery(amqp.Table{"x-delivery-count": int64(1), "bunnicula-queue": "orders"})
	raw.Redelivered, raw.RoutingKey = true, "orders-quarantine"
	s := c.Process(t.Context(), raw)
	if !aside(s) {
		t.Fatalf("%+v", s)
	}
	c.gauges.survived.message(returnKey(&raw))
	if s = heard(c, s, 10*time.Second); s.Action != monitoring.Acked || !ran {
		t.Errorf("the handler ran: %t, %+v", ran, s)
	}
}

// Only a copy from quarantine carries a count of crashes, and no copy for another queue does.
func TestACountOfCrashesEndsWithTheQuarantine(t *testing.T) {
	c := quiet(t, spec(func(s *Spec) { s.Handler = returns(Retry(errBoom)) }))
	h := amqp.Table{"bunnicula-crashes": int64(50), "bunnicula-crashed-at": "2026-05-04T03:02:01.000Z", "bunnicula-queue": "orders"}
	if s := c.Process(t.Context(), delivery(h)); s.Action != monitoring.Retried || s.Copy.Headers["bunnicula-crashes"] != nil || s.Copy.Headers["bunnicula-crashed-at"] != nil {
		t.Errorf("%+v", s)
	}
}

// A pause or a stop gives messages back. Before RabbitMQ 4.3 that counts as a delivery, and a copy
// starts afresh.
func TestAMessageThatIsGivenBackByACopyKeepsItsAttemptsAndItsTime(t *testing.T) {
	c := quiet(t, patient(nil))
	raw := delivery(amqp.Table{"retry-attempts": int64(2), "bunnicula-not-before": "2026-05-04T03:02:01.500Z", "x-delivery-count": int64(1), "mine": "x"})
	raw.Redelivered = true
	s, ok := decide.GiveBack(&c.rules, &decoded(c, raw).facts, decide.Given{Now: time.Now()})
	h := s.Copy.Headers
	if !ok || s.Copy.To.Queue != "orders" || h["retry-attempts"] != int64(2) || h["bunnicula-not-before"] != "2026-05-04T03:02:01.500Z" || h["mine"] != "x" || h["x-delivery-count"] != nil || h["bunnicula-reason"] != nil {
		t.Errorf("%+v", s.Copy)
	}
}

// A copy of a message that cannot be read would be without what cannot be read.
func TestAMessageThatCannotBeReadIsNeverCopied(t *testing.T) {
	c := quiet(t, spec(nil))
	raw := delivery(amqp.Table{"bunnicula-illegible": []byte("x"), "x-delivery-count": int64(1), "mine": "x"})
	raw.Redelivered = true
	if s, ok := decide.GiveBack(&c.rules, &decoded(c, raw).facts, decide.Given{Now: time.Now()}); ok {
		t.Errorf("given back: %+v", s)
	}
	raw.RoutingKey = "orders-quarantine"
	heard, _ := decide.Hear(&c.rules, &decoded(c, raw).facts, decide.Given{Now: time.Now()})
	for name, s := range map[string]decide.Settlement{
		"heard": heard,
		"after": func() decide.Settlement {
			s, _ := decide.Before(&c.rules, &decoded(c, raw).facts, decide.Given{})
			return s
		}(),
	} {
		if s.Copy != nil || s.Deed != decide.DeedReject {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// Headers that the client cannot read are taken out of the frame, and no copy can be made of such a
// message.
func TestAMessageThatCannotBeReadIsRejectedWhereItCannotBeLost(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*Spec)
		deed   Deed
		action monitoring.Action
	}{
		"in a quorum queue":     {nil, DeedReject, monitoring.Parked},
		"in a classic queue":    {func(s *Spec) { s.QueueType = topology.Classic }, DeedLeave, 0},
		"in Bunnicula's scheme": {func(s *Spec) { s.Scheme = topology.Bunnicula }, DeedLeave, 0},
		"in an adopted queue":   {func(s *Spec) { s.Declare = topology.Satellites }, DeedLeave, 0},
		"in one it may not see": {func(s *Spec) { s.Declare = topology.Never }, DeedLeave, 0},
		"in one that overflows": {func(s *Spec) { s.Arguments = map[string]any{"x-overflow": "drop-head"} }, DeedLeave, 0},
	} {
		c, err := New(nil, spec(row.change), monitoring.Nop{}, nil)
		if err != nil {
			continue // the topology refuses it
		}
		s := c.Process(t.Context(), delivery(amqp.Table{"bunnicula-illegible": []byte("x")}))
		if s.Deed != row.deed || s.Action != row.action || s.Copy != nil || (s.Action != 0) != (s.Reason == monitoring.ReasonUndecodable) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestALoweredLimitMakesTheNextAttemptTheLast(t *testing.T) {
	var seen Delivery
	s := process(t, spec(func(s *Spec) {
		s.MaxRetries = 2
		s.Handler = func(_ context.Context, d Delivery) Result { seen = d; return Retry(errBoom) }
	}), delivery(amqp.Table{"retry-attempts": int64(7)}))
	if seen.Attempt != 3 || !seen.LastAttempt() || in(s) != (said{monitoring.Parked, monitoring.ReasonRetriesExhausted, 0}) {
		t.Errorf("attempt %d: %+v", seen.Attempt, s)
	}
}

func TestAMessageIsTriedOnceAndThenMaxRetriesTimes(t *testing.T) {
	for _, retries := range []int{NoRetries, 1, 2, 5} {
		c := quiet(t, spec(func(s *Spec) { s.MaxRetries, s.Handler = retries, returns(Retry(errBoom)) }))
		raw, tries := delivery(nil), 0
		for {
			tries++
			s := c.Process(t.Context(), raw)
			if s.Action == monitoring.Parked {
				break
			}
			raw = back(s)
		}
		if want := max(retries, 0) + 1; tries != want {
			t.Errorf("MaxRetries %d: tried %d times, want %d", retries, tries, want)
		}
	}
}

func TestCopiesOfTheSchemeBunniculaTakeClojuresPaths(t *testing.T) {
	for name, row := range map[string]struct {
		result     Result
		exchange   string
		key        string
		expiration string
	}{
		"Retry":           {Retry(errBoom), "orders-retry", "#", "30000"},
		"RetryAfter less": {RetryAfter(time.Second, errBoom), "orders-retry", "#", "30000"},
		"RetryAfter more": {RetryAfter(time.Hour, errBoom), "orders-retry", "#", "30000"},
		"Snooze":          {Snooze(time.Second), "orders-retry", "#", "30000"},
		"Error":           {Error(errBoom), "orders-error", "#", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := process(t, spec(func(s *Spec) {
				s.Scheme, s.Backoff, s.Handler = topology.Bunnicula, []time.Duration{30 * time.Second}, returns(row.result)
			}), delivery(nil))
			if c := s.Copy; c.Exchange != row.exchange || c.RoutingKey != row.key || c.Expiration != row.expiration {
				t.Errorf("exchange %q, key %q, expiration %q", c.Exchange, c.RoutingKey, c.Expiration)
			}
		})
	}
	c := quiet(t, spec(func(s *Spec) { s.Scheme = topology.Bunnicula }))
	s := c.settlement(decoded(c, delivery(nil)), ending{interrupted: true}, time.Now())
	if s.Copy.Exchange != "" || s.Copy.RoutingKey != "orders" || s.Copy.Expiration != "" {
		t.Errorf("interrupted: %+v", s.Copy)
	}
}

func TestADelayLongerThanAnyQueuesIsPutTogetherWhateverIsDeclared(t *testing.T) {
	for _, mode := range []topology.Mode{topology.All, topology.Satellites, topology.Never} {
		s := process(t, patient(func(s *Spec) { s.Declare, s.Handler = mode, returns(RetryAfter(25*time.Second, nil)) }), delivery(nil))
		if s.Copy.RoutingKey != "orders-retry-10s" || s.Delay != 25*time.Second {
			t.Errorf("%v: %q after %s", mode, s.Copy.RoutingKey, s.Delay)
		}
	}
}

func TestTheLongestSnoozeHasATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := quiet(t, patient(func(s *Spec) { s.Handler = returns(Snooze(1<<63 - 1)) }))
		s := c.Process(t.Context(), delivery(nil))
		time.Sleep(time.Minute)
		if again := c.Process(t.Context(), back(s)); !early(again) || attempts(again) != 0 {
			t.Errorf("it was handled early: %+v, not before %v", again, s.Copy.Headers["bunnicula-not-before"])
		}
	})
}
