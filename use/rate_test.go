package use_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// limits makes one of the three that keep a rate, as the Use and the Handler of a Spec.
var limits = map[string]func(use.Limiter, func(context.Context) consumer.Result) consumer.Spec{
	"Rate": func(l use.Limiter, h func(context.Context) consumer.Result) consumer.Spec {
		return consumer.Spec{Use: []consumer.Middleware{use.Rate(l)}, Handler: func(ctx context.Context, _ consumer.Delivery) consumer.Result { return h(ctx) }}
	},
	"RatePerKey": func(l use.Limiter, h func(context.Context) consumer.Result) consumer.Spec {
		return consumer.Spec{Use: []consumer.Middleware{use.RatePerKey(l, account)}, Handler: func(ctx context.Context, _ consumer.Delivery) consumer.Result { return h(ctx) }}
	},
	"PerKey": func(l use.Limiter, h func(context.Context) consumer.Result) consumer.Spec {
		return consumer.Spec{Handler: consumer.JSON(use.PerKey(l, func(consumer.Message[int]) string { return "key" },
			func(ctx context.Context, _ consumer.Message[int]) consumer.Result { return h(ctx) }))}
	},
}

func account(d consumer.Delivery) string { return d.AppID }

// queue is one whose consumer has the limit and the handler.
func queue(t *testing.T, kind string, l use.Limiter, h func(context.Context) consumer.Result) *consumertest.Queue {
	spec := limits[kind](l, h)
	spec.Queue, spec.Concurrency, spec.Delays = "orders", 20, topology.Ladder
	return consumertest.New(t, spec)
}

func ack(context.Context) consumer.Result { return consumer.Ack() }

func never(t *testing.T) func(context.Context) consumer.Result {
	return func(context.Context) consumer.Result {
		t.Error("the handler ran")
		return consumer.Ack()
	}
}

// eachLimit runs a test of all three in simulated time.
func eachLimit(t *testing.T, f func(t *testing.T, kind string)) {
	for kind := range limits {
		t.Run(kind, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, kind) }) })
	}
}

// scripted is a Limiter that gives these answers, one after the other.
type scripted struct {
	answers []use.Answer
	err     error
	asks    []use.Ask
}

func (s *scripted) Moment(_ context.Context, a use.Ask) (use.Answer, error) {
	s.asks = append(s.asks, a)
	return s.answers[min(len(s.asks), len(s.answers))-1], s.err
}

func mustLimiter(t testing.TB, l use.Limit) *use.LocalLimiter {
	t.Helper()
	made, err := use.NewLimiter(l)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestMessagesAreHandledAtTheirMoments(t *testing.T) {
	eachLimit(t, func(t *testing.T, kind string) {
		var mu sync.Mutex
		var began []time.Duration
		start := time.Now()
		q := queue(t, kind, mustLimiter(t, use.Limit{Events: 50}), func(context.Context) consumer.Result {
			mu.Lock()
			defer mu.Unlock()
			began = append(began, time.Since(start))
			return consumer.Ack()
		})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { q.Deliver(1).AssertAcked() })
		}
		all.Wait()
		if want := []time.Duration{0, 20 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond}; !slices.Equal(began, want) {
			t.Errorf("they began at %v, want %v", began, want)
		}
	})
}

func TestAMessageWhoseMomentIsFarSnoozesUntilItsPlace(t *testing.T) {
	eachLimit(t, func(t *testing.T, kind string) {
		q := queue(t, kind, mustLimiter(t, use.Limit{Events: 1, Per: time.Minute}), ack)
		q.Deliver(1).AssertAcked()
		start := time.Now()
		run := q.Deliver(1)
		if !run.Result().Snoozed() || !errors.Is(run.Result().Err(), use.ErrLimit) || time.Since(start) > 0 {
			t.Errorf("it came to %v after %s, want a Snooze at once", run.Result(), time.Since(start))
		}
		for n := 1; ; n++ {
			if n > 3 {
				t.Fatalf("it still snoozes: %v", run)
			}
			time.Sleep(run.Result().Delay() + 500*time.Millisecond)
			if run = q.Next(run); run.Settlement.Action == monitoring.Acked {
				break
			}
		}
		if took := time.Since(start); took < time.Minute || took > 63*time.Second {
			t.Errorf("it was handled after %s, want a minute", took)
		}
	})
}

func TestAMessageIsNotHandledWhenTheLimiterFails(t *testing.T) {
	eachLimit(t, func(t *testing.T, kind string) {
		down := errors.New("redis is down")
		run := queue(t, kind, &scripted{answers: []use.Answer{{Given: true}}, err: down}, never(t)).Deliver(1)
		if r := run.Result(); !r.Snoozed() || r.Delay() < time.Second || r.Delay() > 5*time.Second {
			t.Errorf("it came to %v, want a Snooze of some seconds", r)
		}
		run.AssertError(down)
		if got := run.Settlement.Err.Error(); got != "the limiter: redis is down" {
			t.Errorf("the error is %q", got)
		}
	})
}

func TestAMessageIsNotHandledWhenTheLimiterAnswersNonsense(t *testing.T) {
	for want, answer := range map[string]use.Answer{
		"Answer.Wait -1s":              {Given: true, Wait: -time.Second},
		"Answer.Wait -2s":              {Wait: -2 * time.Second},
		"Slack -3s":                    {Given: true, Slack: -3 * time.Second},
		"gives a moment in 1h0m0s":     {Given: true, Wait: time.Hour},
		"Answer.Wait 87600h0m0s, want": {Wait: 87600 * time.Hour},
	} {
		eachLimit(t, func(t *testing.T, kind string) {
			run := queue(t, kind, &scripted{answers: []use.Answer{answer}}, never(t)).Deliver(1)
			if r := run.Result(); !r.Snoozed() || r.Delay() < time.Second || r.Delay() > 5*time.Second || r.Err() == nil || !strings.Contains(r.Err().Error(), want) {
				t.Errorf("it came to %v, want a Snooze of some seconds over %q", r, want)
			}
		})
	}
}

// slow is a context of a process that is: it goes on 100 ms after it has begun to wait.
type slow struct{ context.Context }

func (s slow) Done() <-chan struct{} {
	time.Sleep(100 * time.Millisecond)
	return s.Context.Done()
}

func TestAHandlerThatIsLateAsksForAnotherMoment(t *testing.T) {
	for _, c := range []struct {
		slack time.Duration
		asks  int
	}{{49 * time.Millisecond, 3}, {50 * time.Millisecond, 1}} {
		eachLimit(t, func(t *testing.T, kind string) {
			l := &scripted{answers: []use.Answer{{Given: true, Wait: 50 * time.Millisecond, Slack: c.slack}}}
			spec := limits[kind](l, ack)
			spec.Queue = "orders"
			spec.Use = append([]consumer.Middleware{func(next consumer.Handler) consumer.Handler {
				return func(ctx context.Context, d consumer.Delivery) consumer.Result { return next(slow{ctx}, d) }
			}}, spec.Use...)
			r := consumertest.New(t, spec).Result(1)
			if len(l.asks) != c.asks {
				t.Errorf("with a slack of %s it asked %d times, want %d", c.slack, len(l.asks), c.asks)
			}
			if c.asks == 1 {
				if !r.Acked() {
					t.Errorf("it came to %v, want an Ack", r)
				}
				return
			}
			if l.asks[1].First <= l.asks[0].First {
				t.Errorf("it asked %+v, want more patience after the first", l.asks)
			}
			if !r.Snoozed() || r.Err() == nil || !strings.Contains(r.Err().Error(), "missed 3 moments") {
				t.Errorf("it came to %v, want a Snooze because it missed 3 moments", r)
			}
		})
	}
}

func TestAStopWhileAMessageWaitsCountsAsNothing(t *testing.T) {
	eachLimit(t, func(t *testing.T, kind string) {
		q := queue(t, kind, &scripted{answers: []use.Answer{{Given: true, Wait: 200 * time.Millisecond, Slack: time.Second}}}, never(t))
		start := time.Now()
		run := q.Deliver(1, consumertest.StopAfter(50*time.Millisecond)).AssertInterrupted()
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("it ended after %s, want 50ms", took)
		}
		if n := run.Headers()["retry-attempts"]; n != nil && fmt.Sprint(n) != "0" {
			t.Errorf("it counts %v attempts", n)
		}
	})
}

func TestAMessageThatMissesMomentsWaitsNoLongerInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &scripted{answers: []use.Answer{{Given: true, Wait: 50 * time.Millisecond}}}
		spec := limits["Rate"](l, ack)
		spec.Queue, spec.Timeout = "orders", 800*time.Millisecond
		spec.Use = append([]consumer.Middleware{func(next consumer.Handler) consumer.Handler {
			return func(ctx context.Context, d consumer.Delivery) consumer.Result { return next(slow{ctx}, d) }
		}}, spec.Use...)
		consumertest.New(t, spec).Deliver(1)
		if n := len(l.asks); n < 2 || l.asks[1].Patience > 100*time.Millisecond || l.asks[1].First != l.asks[1].Patience {
			t.Errorf("it asked %+v, want to wait for 200 ms at most in all", l.asks)
		}
	})
}

func TestAMessageWaitsAQuarterOfItsTimeAtMost(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{time.Minute: 5 * time.Second, 4 * time.Second: time.Second, consumer.NoTimeout: 5 * time.Second} {
		l := &scripted{answers: []use.Answer{{Wait: time.Hour}}}
		spec := limits["Rate"](l, ack)
		spec.Queue, spec.Timeout = "orders", timeout
		synctest.Test(t, func(t *testing.T) { consumertest.New(t, spec).Deliver(1) })
		if got := l.asks[0].Patience; got != want {
			t.Errorf("with a timeout of %s the patience is %s, want %s", timeout, got, want)
		}
	}
}

func TestAKeyFunctionThatPanicsIsRetriedAndHoldsNothing(t *testing.T) {
	bad := func(consumer.Delivery) string { panic("no account") }
	for name, spec := range map[string]consumer.Spec{
		"RatePerKey": {Use: []consumer.Middleware{use.RatePerKey(mustLimiter(t, use.Limit{Events: 1}), bad)}, Handler: handled},
		"AtMost":     {Use: []consumer.Middleware{use.AtMost(1, bad)}, Handler: handled},
		"PerKey": {Handler: consumer.JSON(use.PerKey(mustLimiter(t, use.Limit{Events: 1}), func(consumer.Message[int]) string { panic("no account") },
			func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() }))},
		"the Limit of a key": {Use: []consumer.Middleware{use.RatePerKey(mustLimiterFor(t, func(string) use.Limit { panic("no account") }), account)}, Handler: handled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spec.Queue, spec.Concurrency = "orders", 1
				q := consumertest.New(t, spec)
				for range 5 { // more than there are slots, and places to wait
					q.Deliver(1).AssertRetriedFor(monitoring.ReasonPanic, time.Minute)
				}
			})
		})
	}
}

func handled(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }

func mustLimiterFor(t *testing.T, f func(string) use.Limit) *use.LocalLimiter {
	t.Helper()
	l, err := use.NewLimiterFor(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestNewNamesWhatIsWrongWithALimit(t *testing.T) {
	good := mustLimiter(t, use.Limit{Events: 1})
	var none *use.LocalLimiter
	for want, m := range map[string]consumer.Middleware{
		"use.Rate: the limiter is nil":            use.Rate(nil),
		"use.Rate: the limiter is nil ":           use.Rate(none),
		"use.RatePerKey: the limiter is nil":      use.RatePerKey(nil, account),
		"use.RatePerKey: the key function is nil": use.RatePerKey(good, nil),
		"use.AtMost: n is 0, want 1 or more":      use.AtMost(0, account),
		"use.AtMost: n is -1, want 1 or more":     use.AtMost(-1, account),
		"use.AtMost: the key function is nil":     use.AtMost(1, nil),
	} {
		_, err := consumer.New(nil, consumer.Spec{Queue: "orders", Use: []consumer.Middleware{m}, Handler: handled}, nil, nil)
		if want = `consumer "orders": Use[0] panicked: ` + strings.TrimSpace(want); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	key := func(consumer.Message[int]) string { return "" }
	h := func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() }
	if use.PerKey(nil, key, h) != nil || use.PerKey(good, nil, h) != nil || use.PerKey[int](good, key, nil) != nil || use.PerKey(none, key, h) != nil {
		t.Error("PerKey makes a handler without a limiter, a key or a handler")
	}
}

func TestTheUsualPathOfALimitAllocatesLittle(t *testing.T) {
	for name, run := range usual(t) {
		if n := testing.AllocsPerRun(1000, run); n > 2 {
			t.Errorf("%s allocates %v times a message, want 2 at most", name, n)
		}
	}
}

func BenchmarkTheUsualPathOfALimit(b *testing.B) {
	for name, run := range usual(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}

// usual returns functions that handle a message which need not wait.
func usual(t testing.TB) map[string]func() {
	l := mustLimiter(t, use.Limit{Events: 1e9, Burst: 1e9})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	d := consumer.Delivery{AppID: "account", MessageID: "d2b6f0a8-3f55-4e0f-9a43-1d3e4f5a6b7c"}
	all := map[string]func(){}
	for name, m := range map[string]consumer.Middleware{"Rate": use.Rate(l), "RatePerKey": use.RatePerKey(l, account), "AtMost": use.AtMost(1, account)} {
		h := m(handled)
		all[name] = func() { h(ctx, d) }
	}
	h := use.PerKey(l, func(m consumer.Message[int]) string { return m.AppID }, func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() })
	all["PerKey"] = func() { h(ctx, consumer.Message[int]{Delivery: d}) }
	return all
}
