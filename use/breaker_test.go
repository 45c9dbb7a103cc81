package use_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
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

var errDown = errors.New("connection refused")

// service is what handlers call. It can be told what to do.
type service struct {
	mu    sync.Mutex
	do    func(context.Context) consumer.Result
	calls int
}

func (s *service) set(do func(context.Context) consumer.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = do
}

func (s *service) handle(ctx context.Context, _ consumer.Delivery) consumer.Result {
	s.mu.Lock()
	s.calls++
	do := s.do
	s.mu.Unlock()
	return do(ctx)
}

func (s *service) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func fine(context.Context) consumer.Result    { return consumer.Ack() }
func broken(context.Context) consumer.Result  { return consumer.Retry(errDown) }
func panicky(context.Context) consumer.Result { panic("nobody home") }
func patchy(context.Context) consumer.Result  { return consumer.Error(errDown) }
func exits(context.Context) consumer.Result   { runtime.Goexit(); return consumer.Ack() }
func hangs(ctx context.Context) consumer.Result {
	<-ctx.Done()
	return consumer.Retry(ctx.Err())
}

// queueOf returns a queue whose handler calls s, behind b.
func queueOf(t *testing.T, b use.Breaker, s *service, change ...func(*consumer.Spec)) *consumertest.Queue {
	spec := consumer.Spec{
		Queue: "orders", Backoff: []time.Duration{time.Minute}, Delays: topology.Ladder, Timeout: 40 * time.Second,
		Use: []consumer.Middleware{b.New()}, Handler: s.handle,
	}
	for _, c := range change {
		c(&spec)
	}
	return consumertest.New(t, spec)
}

// break fails the service until the breaker of q is open.
func breakIt(t *testing.T, q *consumertest.Queue, s *service, failures int) {
	t.Helper()
	s.set(broken)
	for range failures - 1 {
		q.Deliver("x").AssertRetried(time.Minute)
	}
	q.Deliver("x").AssertSnoozed(10 * time.Second).AssertError(use.ErrDown).AssertError(errDown)
}

func TestAnOpenBreakerHasMessagesWaitAndSnoozeWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s service
		q := queueOf(t, use.Breaker{Failures: 3}, &s)
		breakIt(t, q, &s, 3)
		before := time.Now()
		q.Deliver("waits").AssertSnoozed(5 * time.Second).AssertError(use.ErrDown).AssertError(errDown)
		if took := time.Since(before); took != 5*time.Second {
			t.Errorf("it waited %s in its slot, want 5s", took)
		}
		if s.called() != 3 {
			t.Errorf("the service was called %d times, want 3", s.called())
		}
	})
}

func TestNoFailureOfAnOpenBreakerUsesAnAttemptOrParks(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(context.Context) consumer.Result
		text string
	}{
		"Retry":   {broken, "connection refused"},
		"Timeout": {func(context.Context) consumer.Result { return consumer.Timeout(errDown) }, "connection refused"},
		"zero":    {func(context.Context) consumer.Result { return consumer.Result{} }, "seems to be down"},
		"panic":   {panicky, "panic: nobody home"},
		"timeout": {hangs, "ran past its timeout"},
		"timeout as Error": {func(ctx context.Context) consumer.Result {
			<-ctx.Done()
			return consumer.Error(ctx.Err())
		}, "ran past its timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s service
				q := queueOf(t, use.Breaker{Failures: 3}, &s)
				breakIt(t, q, &s, 3)
				s.set(c.do)
				for range 2 { // it probes once, and once more
					time.Sleep(10 * time.Second)
					run := q.Deliver("last", consumertest.Attempt(4)).AssertSnoozed(10 * time.Second).AssertError(use.ErrDown)
					if !strings.Contains(run.Settlement.Err.Error(), c.text) {
						t.Errorf("the reason is %q, want %q in it", run.Settlement.Err, c.text)
					}
				}
				s.set(fine)
				time.Sleep(10 * time.Second)
				q.Deliver("fine").AssertAcked()
			})
		})
	}
}

// A 503 is a failure although it uses no attempt, and its Retry-After counts if it is longer.
func TestA503OpensABreakerAndWaitsAsLongAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := func(status int, after time.Duration) func(context.Context) consumer.Result {
			return func(context.Context) consumer.Result {
				return use.HTTPResult(wrapped(&use.StatusError{Status: status, RetryAfter: after}))
			}
		}
		s := service{do: answers(503, time.Minute)}
		q := queueOf(t, use.Breaker{Failures: 2}, &s)
		q.Deliver("x").AssertSnoozed(time.Minute)
		q.Deliver("x").AssertSnoozed(time.Minute).AssertError(use.ErrDown)
		q.Deliver("waits").AssertSnoozed(5 * time.Second)
		time.Sleep(5 * time.Second)
		s.set(answers(500, time.Hour))
		q.Deliver("x").AssertSnoozed(time.Hour).AssertError(use.ErrDown)
		time.Sleep(10 * time.Second)
		s.set(answers(429, 0))
		q.Deliver("throttled").AssertSnoozed(10 * time.Second)
	})
}

func TestAPanicOfAClosedBreakerKeepsItsStack(t *testing.T) {
	s := service{do: panicky}
	run := queueOf(t, use.Breaker{}, &s).Deliver("x").AssertRetriedFor(monitoring.ReasonPanic, time.Minute)
	if !strings.Contains(run.Settlement.Stack, "use_test.panicky") {
		t.Errorf("the stack lacks the function that panicked:\n%s", run.Settlement.Stack)
	}
}

func TestAProbeIsNeverLost(t *testing.T) {
	for name, probe := range map[string]func(*testing.T, *consumertest.Queue, *service){
		"panic": func(_ *testing.T, q *consumertest.Queue, s *service) {
			s.set(panicky)
			q.Deliver("x").AssertSnoozed(10 * time.Second)
			time.Sleep(10 * time.Second)
		},
		"Goexit": func(_ *testing.T, q *consumertest.Queue, s *service) {
			s.set(exits)
			done := make(chan struct{})
			go func() {
				defer close(done)
				q.Deliver("x")
			}()
			<-done
			time.Sleep(10 * time.Second)
		},
		"stop": func(_ *testing.T, q *consumertest.Queue, s *service) {
			s.set(hangs)
			q.Deliver("x", consumertest.StopAfter(time.Second)).AssertInterrupted()
		},
		"snooze": func(_ *testing.T, q *consumertest.Queue, s *service) {
			s.set(func(context.Context) consumer.Result { return consumer.Snooze(time.Minute) })
			q.Deliver("x").AssertSnoozed(time.Minute)
		},
		"no JSON": func(_ *testing.T, q *consumertest.Queue, s *service) {
			decode := consumer.JSON(func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() })
			s.set(func(ctx context.Context) consumer.Result { return decode(ctx, consumer.Delivery{Body: []byte("{")}) })
			q.Deliver("x").AssertParked(monitoring.ReasonUndecodable)
		},
		"no return": func(t *testing.T, q *consumertest.Queue, s *service) {
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			s.set(func(context.Context) consumer.Result { <-release; return consumer.Ack() })
			go q.Deliver("x")
			synctest.Wait()
			s.set(fine)
			time.Sleep(10 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s service
				q := queueOf(t, use.Breaker{Failures: 3}, &s)
				breakIt(t, q, &s, 3)
				time.Sleep(10 * time.Second)
				probe(t, q, &s)
				s.set(fine)
				before := time.Now()
				q.Deliver("fine").AssertAcked()
				if took := time.Since(before); took > 0 {
					t.Errorf("the next probe waited for %s", took)
				}
			})
		})
	}
}

func TestMessagesThatWaitGoOnAsSoonAsTheServiceAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s service
		q := queueOf(t, use.Breaker{Failures: 3}, &s)
		breakIt(t, q, &s, 3)
		s.set(func(context.Context) consumer.Result { time.Sleep(100 * time.Millisecond); return consumer.Ack() })
		time.Sleep(7 * time.Second)
		before := time.Now()
		most, running := 0, 0
		slow := func(context.Context) consumer.Result {
			s.mu.Lock()
			running++
			most = max(most, running)
			s.mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			s.mu.Lock()
			running--
			s.mu.Unlock()
			return consumer.Ack()
		}
		s.set(slow)
		var all sync.WaitGroup
		for range 15 { // 1, 2, 4, and 8 of them at once
			all.Go(func() { q.Deliver("x").AssertAcked() })
		}
		all.Wait()
		if took := time.Since(before); took != 3*time.Second+400*time.Millisecond {
			t.Errorf("it took %s, want 3.4s", took)
		}
		if most != 8 {
			t.Errorf("%d calls ran at once, want 8", most)
		}
	})
}

func TestAStopEndsTheWaitForABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s service
		q := queueOf(t, use.Breaker{Failures: 3}, &s)
		breakIt(t, q, &s, 3)
		before := time.Now()
		q.Deliver("waits", consumertest.StopAfter(time.Second)).AssertInterrupted()
		if took := time.Since(before); took != time.Second {
			t.Errorf("it waited for %s, want 1s", took)
		}
	})
}

func TestAHandlerThatAStopCancelsDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s service
		q := queueOf(t, use.Breaker{Failures: 2}, &s)
		for _, do := range []func(context.Context) consumer.Result{
			hangs, hangs, func(ctx context.Context) consumer.Result { <-ctx.Done(); panic("stopped") },
		} {
			s.set(do)
			q.Deliver("x", consumertest.StopAfter(time.Second)).AssertInterrupted()
		}
		s.set(broken)
		q.Deliver("x").AssertRetried(time.Minute)
	})
}

// The first failure with NoRetries is parked, and so is the first Error that Failed calls a
// failure: nobody knows of an outage yet.
func TestAnOutageParksAtMostTheFirstMessageAlsoWithNoRetries(t *testing.T) {
	for name, c := range map[string]struct {
		breaker use.Breaker
		do      func(context.Context) consumer.Result
		reason  monitoring.Reason
	}{
		"NoRetries": {use.Breaker{}, broken, monitoring.ReasonRetriesExhausted},
		"Failed":    {use.Breaker{Failed: func(r consumer.Result) bool { return r.Errored() }}, patchy, monitoring.ReasonError},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := service{do: c.do}
				q := queueOf(t, c.breaker, &s, func(s *consumer.Spec) { s.MaxRetries = consumer.NoRetries })
				q.Deliver("first").AssertParked(c.reason)
				for range 9 {
					q.Deliver("next").AssertSnoozed(10 * time.Second).AssertError(use.ErrDown).AssertError(errDown)
				}
				if s.called() != 10 {
					t.Errorf("the service was called %d times, want 10", s.called())
				}
				q.Deliver("waits").AssertSnoozed(5 * time.Second)
				if s.called() != 10 {
					t.Error("the breaker is not open after 10 failures")
				}
			})
		})
	}
}

func TestOneBreakerServesSeveralConsumers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service{do: broken}
		shared := use.Breaker{Failures: 2}.New()
		with := func(name string) *consumertest.Queue {
			return consumertest.New(t, consumer.Spec{
				Queue: name, Delays: topology.Ladder, Handler: s.handle, Use: []consumer.Middleware{shared},
			})
		}
		with("orders").Deliver("x", consumertest.MessageID("order")).AssertRetried(time.Minute)
		with("refunds").Deliver("x", consumertest.MessageID("refund")).AssertSnoozed(10 * time.Second)
	})
}

func TestABadFieldIsAnErrorOfNewThatNamesIt(t *testing.T) {
	h := func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	for want, m := range map[string]consumer.Middleware{
		"Breaker.Failures is -1, want 1 to 10000, or 0 for 10":    use.Breaker{Failures: -1}.New(),
		"Breaker.Failures is 10001, want 1 to 10000, or 0 for 10": use.Breaker{Failures: 10_001}.New(),
		"Breaker.Rest is -1s, want 1ms or more, or 0 for 10s":     use.Breaker{Rest: -time.Second}.New(),
		"Breaker.Rest is 1µs, want 1ms or more, or 0 for 10s":     use.Breaker{Rest: time.Microsecond}.New(),
		"MaxAge is 0s, want more than 0":                          use.MaxAge(0),
		"MaxAge is -1h0m0s, want more than 0":                     use.MaxAge(-time.Hour),
		"TreatAsAck has a nil function":                           use.TreatAsAck(nil),
	} {
		_, err := consumer.New(nil, consumer.Spec{Queue: "orders", Handler: h, Use: []consumer.Middleware{m}}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), `consumer "orders": Use[0] panicked: use: `+want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	for i, m := range []consumer.Middleware{use.Breaker{}.New(), use.MaxAge(1), use.TreatAsAck(func(error) bool { return true })} {
		if m(nil) != nil {
			t.Errorf("middleware %d makes a handler of none", i)
		}
	}
}

func TestAFailedThatPanicsIsAPanicOfTheHandler(t *testing.T) {
	s := service{do: broken}
	q := queueOf(t, use.Breaker{Failures: 1, Failed: func(consumer.Result) bool { panic("no idea") }}, &s)
	run := q.Deliver("x").AssertSnoozed(10 * time.Second)
	if !strings.Contains(fmt.Sprint(run.Settlement.Err), "panic: no idea") {
		t.Errorf("the reason is %v", run.Settlement.Err)
	}
}

// The usual path: the handler acknowledges, and nothing is wrong.
func TestTheUsualPathAllocatesNothing(t *testing.T) {
	h := func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	d := consumer.Delivery{MessageID: "1", Since: time.Now(), Attempt: 1, MaxRetries: 3}
	for name, m := range map[string]consumer.Middleware{
		"Breaker":    use.Breaker{}.New(),
		"MaxAge":     use.MaxAge(time.Hour),
		"TreatAsAck": use.TreatAsAck(func(error) bool { return true }),
	} {
		wrapped := m(h)
		if n := testing.AllocsPerRun(100, func() { wrapped(t.Context(), d) }); n != 0 {
			t.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
	res := answer(t, http.StatusOK)
	n := testing.AllocsPerRun(100, func() {
		if err := use.CheckResponse(res, nil); err != nil || !use.HTTPResult(err).Acked() {
			t.Error(err)
		}
		use.Jitter(time.Second, 0.5)
	})
	if n != 0 {
		t.Errorf("CheckResponse, HTTPResult and Jitter allocate %v times, want 0", n)
	}
}
