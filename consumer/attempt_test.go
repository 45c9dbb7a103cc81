package consumer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// slowly is a Spec of 10 s timeout and 5 s grace, and a first delay of 1 s.
func slowly(h Handler) Spec {
	return spec(func(s *Spec) {
		s.Handler, s.Timeout, s.Grace, s.Backoff = h, 10*time.Second, 5*time.Second, []time.Duration{time.Second}
	})
}

func TestAPanicIsRetriedWithItsStack(t *testing.T) {
	for name, row := range map[string]struct {
		do   func()
		want string
		is   error
	}{
		"with an error":       {func() { panic(errBoom) }, "panic: boom", errBoom},
		"with a string":       {func() { panic("boom") }, "panic: boom", nil},
		"with a number":       {func() { panic(7) }, "panic: 7", nil},
		"with nil":            {func() { panic(nil) }, "panic: panic called with nil argument", nil},
		"of the runtime":      {func() { var all []int; all[len(all)]++ }, "panic: runtime error: index out of range", nil},
		"with a nil error":    {func() { panic((*fs.PathError)(nil)) }, "panic: <nil>", nil},
		"with a nil stringer": {func() { panic((*nilStringer)(nil)) }, "panic: <nil>", nil},
		"with one that panics when it is read": {
			func() { panic(&silent{}) }, "panic: %!v(PANIC=Error method: runtime error: invalid memory address", nil,
		},
		"with a struct":          {func() { panic(struct{ A, B any }{1, "b"}) }, "panic: {1 b}", nil},
		"with what holds itself": {func() { panic(holdsItself()) }, "panic: []interface {}, which is too large or holds itself", nil},
		"by Goexit":              {runtime.Goexit, "the handler called runtime.Goexit", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := process(t, slowly(func(context.Context, Delivery) Result { row.do(); return Ack() }), delivery(nil))
			if in(s) != (said{monitoring.Retried, monitoring.ReasonPanic, time.Second}) || !strings.HasPrefix(fmt.Sprint(s.Err), row.want) {
				t.Errorf("%v %v, want %s", in(s), s.Err, row.want)
			}
			if row.is != nil && !errors.Is(s.Err, row.is) {
				t.Errorf("%v is not %v", s.Err, row.is)
			}
			if !strings.Contains(s.Stack, "attempt_test.go") {
				t.Errorf("the stack does not show where: %s", s.Stack)
			}
		})
	}
}

func holdsItself() []any {
	all := []any{nil}
	all[0] = all
	return all
}

type nilStringer struct{ name string }

func (n *nilStringer) String() string { return n.name }

func TestAPanicOnTheLastAttemptIsParkedAsAPanic(t *testing.T) {
	s := process(t, slowly(func(context.Context, Delivery) Result { panic("boom") }), delivery(amqpHeaders("retry-attempts", int64(3))))
	if in(s) != (said{monitoring.Parked, monitoring.ReasonPanic, 0}) || s.Stack == "" || s.Copy.Headers["bunnicula-stack"] == nil {
		t.Errorf("%v, stack %q", in(s), s.Stack)
	}
}

// A nil pointer in an error is a common mistake: its methods panic, and must not take the process
// along.
func TestAnErrorWhoseMethodsPanicHarmsNobody(t *testing.T) {
	var typed *silent
	for name, h := range map[string]Handler{
		"Retry":        returns(Retry(typed)),
		"RetryAfter":   returns(RetryAfter(time.Minute, typed)),
		"Timeout":      returns(Timeout(typed)),
		"Error":        returns(Error(typed)),
		"wrapped":      returns(Retry(fmt.Errorf("a: %w", typed))),
		"joined":       returns(Retry(errors.Join(errBoom, typed))),
		"a path error": returns(Error((*fs.PathError)(nil))),
		"after a timeout": func(ctx context.Context, _ Delivery) Result {
			<-ctx.Done()
			return Error(typed)
		},
		"from FromError": JSON(FromError(func(context.Context, Message[any]) error { return typed })),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := process(t, slowly(h), delivery(nil))
				if s.Copy == nil || s.Err == nil || s.Group == "" {
					t.Fatalf("%+v", s)
				}
				text, _ := s.Copy.Headers["bunnicula-error"].(string)
				past, _ := s.Copy.Headers["bunnicula-history"].(string)
				if text == "" && s.Action == monitoring.Parked || !strings.Contains(past, `"error":"`) {
					t.Errorf("the copy does not say that there was an error: %v", s.Copy.Headers)
				}
			})
		})
	}
}

func TestAHandlerHasItsTimeoutAsADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		process(t, slowly(func(ctx context.Context, _ Delivery) Result {
			if deadline, ok := ctx.Deadline(); !ok || deadline.Sub(began) != 10*time.Second {
				t.Errorf("the deadline is %v, %t", deadline, ok)
			}
			return Ack()
		}), delivery(nil))
	})
}

func TestAHandlerWithoutTimeoutHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowly(func(ctx context.Context, _ Delivery) Result {
			if _, ok := ctx.Deadline(); ok {
				t.Error("there is a deadline")
			}
			time.Sleep(1000 * time.Hour)
			if ctx.Err() != nil {
				t.Error(ctx.Err())
			}
			return Ack()
		})
		s.Timeout = NoTimeout
		if got := process(t, s, delivery(nil)); got.Action != monitoring.Acked || got.Duration != 1000*time.Hour {
			t.Errorf("%+v", got)
		}
	})
}

func TestTheLongestTimeoutIsNotTakenForNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowly(func(ctx context.Context, _ Delivery) Result {
			time.Sleep(time.Hour)
			if ctx.Err() != nil {
				t.Error(ctx.Err())
			}
			return Ack()
		})
		s.Timeout, s.Grace = maxTimeout, maxTimeout
		if got := process(t, s, delivery(nil)); got.Action != monitoring.Acked || got.Duration != time.Hour {
			t.Errorf("%v %v", in(got), got.Err)
		}
	})
}

// Each row is what a handler says one second after its timeout, within its grace.
func TestWithinItsGraceAHandlerMayStillSaySomething(t *testing.T) {
	timeout := said{monitoring.Retried, monitoring.ReasonTimeout, time.Second}
	for name, row := range map[string]struct {
		result func(context.Context) Result
		want   said
	}{
		"Ack stands":                         {func(context.Context) Result { return Ack() }, said{action: monitoring.Acked}},
		"Error stands":                       {func(context.Context) Result { return Error(errBoom) }, said{monitoring.Parked, monitoring.ReasonError, 0}},
		"Error of nil stands":                {func(context.Context) Result { return Error(nil) }, said{monitoring.Parked, monitoring.ReasonError, 0}},
		"Error of its context is a timeout":  {func(ctx context.Context) Result { return Error(ctx.Err()) }, timeout},
		"Error of its cause is a timeout":    {func(ctx context.Context) Result { return Error(context.Cause(ctx)) }, timeout},
		"Error of a wrapped one is one":      {func(ctx context.Context) Result { return Error(fmt.Errorf("query: %w", ctx.Err())) }, timeout},
		"Error of a joined one is one":       {func(ctx context.Context) Result { return Error(errors.Join(errBoom, ctx.Err())) }, timeout},
		"Error of a cancelled call is one":   {func(context.Context) Result { return Error(fmt.Errorf("query: %w", context.Canceled)) }, timeout},
		"Permanent of its context is one":    {func(ctx context.Context) Result { return ResultOf(Permanent(ctx.Err())) }, timeout},
		"Retry is a timeout":                 {func(context.Context) Result { return Retry(errBoom) }, timeout},
		"RetryAfter is a timeout":            {func(context.Context) Result { return RetryAfter(time.Hour, errBoom) }, timeout},
		"Timeout is a timeout":               {func(context.Context) Result { return Timeout(errBoom) }, timeout},
		"Snooze stands":                      {func(context.Context) Result { return Snooze(time.Hour) }, said{monitoring.Snoozed, monitoring.ReasonNone, time.Hour}},
		"Snooze because of its context too":  {func(ctx context.Context) Result { return SnoozeBecause(time.Hour, ctx.Err()) }, said{monitoring.Snoozed, monitoring.ReasonNone, time.Hour}},
		"the zero Result is a timeout":       {func(context.Context) Result { return Result{} }, timeout},
		"a body that is none is undecodable": {func(context.Context) Result { return undecodable(errBoom) }, said{monitoring.Parked, monitoring.ReasonUndecodable, 0}},
		"a panic is a panic":                 {func(context.Context) Result { panic("boom") }, said{monitoring.Retried, monitoring.ReasonPanic, time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := process(t, slowly(func(ctx context.Context, _ Delivery) Result {
					<-ctx.Done()
					time.Sleep(time.Second)
					return row.result(ctx)
				}), delivery(nil))
				if in(s) != row.want {
					t.Errorf("%v %v, want %v", in(s), s.Err, row.want)
				}
				if s.Duration != 11*time.Second || time.Since(began) != 11*time.Second {
					t.Errorf("it took %s", s.Duration)
				}
				if row.want == timeout && (!errors.Is(s.Err, context.DeadlineExceeded) || !errors.Is(s.Err, decide.ErrTimeout)) {
					t.Errorf("the error is %v", s.Err)
				}
			})
		})
	}
}

func TestATimeoutKeepsTheHandlersError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := process(t, slowly(func(ctx context.Context, _ Delivery) Result { <-ctx.Done(); return Retry(errBoom) }), delivery(nil))
		if !errors.Is(s.Err, errBoom) || !errors.Is(s.Err, context.DeadlineExceeded) {
			t.Error(s.Err)
		}
	})
}

func TestAnErrorOfSomebodyElsesDeadlineIsNoTimeout(t *testing.T) {
	for _, err := range []error{context.DeadlineExceeded, context.Canceled} {
		if s := process(t, slowly(returns(Error(err))), delivery(nil)); s.Reason != monitoring.ReasonError {
			t.Errorf("%v: %v", err, in(s))
		}
		if s := process(t, slowly(returns(Retry(err))), delivery(nil)); s.Reason != monitoring.ReasonRetry {
			t.Errorf("%v: %v", err, in(s))
		}
	}
}

func TestTheCauseTellsATimeoutFromAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause, err error
		h := func(ctx context.Context, _ Delivery) Result {
			<-ctx.Done()
			cause, err = context.Cause(ctx), ctx.Err()
			return Retry(nil)
		}
		process(t, slowly(h), delivery(nil))
		if !errors.Is(cause, context.DeadlineExceeded) || errors.Is(cause, ErrStopping) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the timeout the cause is %v and the error %v", cause, err)
		}
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { stop(ErrStopping) })
		quiet(t, slowly(h)).Process(ctx, delivery(nil))
		if !errors.Is(cause, ErrStopping) || !errors.Is(err, context.Canceled) {
			t.Errorf("after a stop the cause is %v and the error %v", cause, err)
		}
	})
}

// Each row is what a handler says after a stop has cancelled its context.
func TestWhatAStopInterruptsIsNoAttemptUnlessItIsAcked(t *testing.T) {
	interrupted := said{action: monitoring.Interrupted}
	for name, row := range map[string]struct {
		result func() Result
		want   said
	}{
		"Ack":             {Ack, said{action: monitoring.Acked}},
		"Error":           {func() Result { return Error(errBoom) }, interrupted},
		"Retry":           {func() Result { return Retry(errBoom) }, interrupted},
		"Snooze":          {func() Result { return Snooze(time.Hour) }, interrupted},
		"the zero Result": {func() Result { return Result{} }, interrupted},
		"a panic":         {func() Result { panic("boom") }, interrupted},
		"Goexit":          {func() Result { runtime.Goexit(); return Ack() }, interrupted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { stop(ErrStopping) })
				h := func(ctx context.Context, _ Delivery) Result { <-ctx.Done(); return row.result() }
				s := quiet(t, slowly(h)).Process(ctx, delivery(amqpHeaders("retry-attempts", int64(2))))
				if in(s) != row.want {
					t.Fatalf("%v %v, want %v", in(s), s.Err, row.want)
				}
				if row.want == interrupted && (s.Copy == nil || s.Copy.RoutingKey != "orders" || attempts(s) != 2) {
					t.Errorf("the copy is %+v", s.Copy)
				}
			})
		})
	}
}

func TestAHandlerThatIgnoresItsTimeoutIsSettledOnceAndStaysStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := quiet(t, slowly(func(context.Context, Delivery) Result { time.Sleep(time.Hour); return Ack() }))
		d := decoded(c, delivery(nil))
		var mu sync.Mutex
		var ends []decide.Ending
		ended := func() []decide.Ending { mu.Lock(); defer mu.Unlock(); return ends }
		var working sync.WaitGroup
		working.Go(func() {
			c.attempt(t.Context(), &worker{}, d, func(_ *attempt, e decide.Ending) { mu.Lock(); defer mu.Unlock(); ends = append(ends, e) })
		})
		time.Sleep(15*time.Second - time.Nanosecond)
		if len(ended()) != 0 || c.Health().Stuck != 0 {
			t.Fatalf("within its grace it has ended: %+v", ended())
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if e := ended(); len(e) != 1 || !e[0].TimedOut || e[0].Duration != 15*time.Second || e[0].Stack == "" {
			t.Fatalf("after its grace: %+v", e)
		}
		if c.Health().Stuck != 1 {
			t.Errorf("stuck are %d", c.Health().Stuck)
		}
		working.Wait()
		if len(ended()) != 1 || c.Health().Stuck != 0 || time.Since(began) != time.Hour {
			t.Errorf("when it returned: %d ends, %d stuck, %s", len(ended()), c.Health().Stuck, time.Since(began))
		}
	})
}

func TestAStuckHandlersMessageIsSettledAsATimeoutWithItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		defer close(free)
		s := process(t, slowly(func(context.Context, Delivery) Result { <-free; return Ack() }), delivery(nil))
		if in(s) != (said{monitoring.Retried, monitoring.ReasonTimeout, time.Second}) || s.Duration != 15*time.Second {
			t.Errorf("%v after %s", in(s), s.Duration)
		}
		if !strings.Contains(s.Stack, "attempt_test.go") || attempts(s) != 1 {
			t.Errorf("stack %q, headers %v", s.Stack, s.Copy.Headers)
		}
	})
}

func TestAHeldMessageIsSettledWhenItsHandlerReturns(t *testing.T) {
	for name, row := range map[string]struct {
		result Result
		want   said
	}{
		"Ack":   {Ack(), said{action: monitoring.Acked}},
		"Error": {Error(errBoom), said{monitoring.Parked, monitoring.ReasonError, 0}},
		"Retry": {Retry(errBoom), said{monitoring.Retried, monitoring.ReasonTimeout, time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				held := slowly(func(context.Context, Delivery) Result { time.Sleep(time.Hour); return row.result })
				held.WhenStuck = Hold
				c := quiet(t, held)
				time.AfterFunc(time.Minute, func() {
					if c.Health().Stuck != 1 {
						t.Errorf("after a minute %d are stuck", c.Health().Stuck)
					}
				})
				s := c.Process(t.Context(), delivery(nil))
				if in(s) != row.want || s.Duration != time.Hour || time.Since(began) != time.Hour {
					t.Errorf("%v after %s", in(s), s.Duration)
				}
				if c.Health().Stuck != 0 {
					t.Errorf("%d are stuck", c.Health().Stuck)
				}
			})
		})
	}
}

func TestAHandlerThatReturnsWithItsGraceIsSettledOnce(t *testing.T) {
	// The watch and the return meet in the same instant; whichever comes first decides.
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			c := quiet(t, slowly(func(context.Context, Delivery) Result { time.Sleep(15 * time.Second); return Ack() }))
			var mu sync.Mutex
			ends := 0
			c.attempt(t.Context(), &worker{}, decoded(c, delivery(nil)), func(*attempt, decide.Ending) { mu.Lock(); ends++; mu.Unlock() })
			synctest.Wait()
			if mu.Lock(); ends != 1 || c.Health().Stuck != 0 {
				t.Errorf("%d ends, %d stuck", ends, c.Health().Stuck)
			}
			mu.Unlock()
		})
	}
}

// meanwhile is a slog.Handler that does something while the first line is written.
type meanwhile struct {
	slog.Handler
	do func()
}

func (m meanwhile) Handle(context.Context, slog.Record) error { m.do(); return nil }
func (m meanwhile) WithAttrs([]slog.Attr) slog.Handler        { return m }
func (meanwhile) Enabled(context.Context, slog.Level) bool    { return true }

func TestAHandlerThatReturnsWhileItIsGivenUpIsTakenAtItsWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		once := sync.OnceFunc(func() { close(free); synctest.Wait() })
		c, err := New(nil, slowly(func(context.Context, Delivery) Result { <-free; return Ack() }), nil, slog.New(meanwhile{do: once}))
		if err != nil {
			t.Fatal(err)
		}
		s := c.Process(t.Context(), delivery(nil))
		synctest.Wait()
		if s.Action != monitoring.Acked || c.Health().Stuck != 0 {
			t.Errorf("%v %v, %d stuck", in(s), s.Err, c.Health().Stuck)
		}
	})
}

func TestAMessageIsFreedWhenItsAttemptHasEnded(t *testing.T) {
	freed := make(chan struct{})
	func() {
		body := new([64 << 10]byte)
		runtime.AddCleanup(body, func(freed chan struct{}) { close(freed) }, freed)
		raw := delivery(nil)
		raw.Body = body[:]
		s := spec(func(s *Spec) { s.Timeout, s.Grace = time.Hour, time.Hour }) // a timer that is left behind keeps it for so long
		process(t, s, raw)
	}()
	for range 100 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the message is still held by something")
}

func TestNoGoroutineOutlivesAnAttempt(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, h := range []Handler{
		returns(Ack()), returns(Retry(errBoom)),
		func(context.Context, Delivery) Result { panic("boom") },
		func(context.Context, Delivery) Result { runtime.Goexit(); return Ack() },
	} {
		process(t, slowly(h), delivery(nil))
	}
}

func TestAHandlersContextEndsWhenItReturns(t *testing.T) {
	var kept context.Context
	process(t, slowly(func(ctx context.Context, _ Delivery) Result { kept = ctx; return Ack() }), delivery(nil))
	if !errors.Is(kept.Err(), context.Canceled) {
		t.Error("what the handler started with its context goes on")
	}
}

// spoil changes all of a delivery that a handler can change.
func spoil(d Delivery) {
	clear(d.Body)
	_ = append(d.Body, "more"...)
	d.Headers["table"].(amqp.Table)["deep"].([]any)[0] = "changed"
	clear(d.Headers["bytes"].([]byte))
	delete(d.Headers, "tenant")
	d.Headers["added"] = "by the handler"
}

func whole() amqp.Delivery {
	raw := delivery(amqp.Table{"tenant": "acme", "bytes": []byte("bytes"), "table": amqp.Table{"deep": []any{"as it came"}}})
	raw.Body = append(make([]byte, 0, 100), "as it came"...)
	return raw
}

func wantWhole(t *testing.T, s Settlement) {
	t.Helper()
	if s.Copy == nil || string(s.Copy.Body) != "as it came" {
		t.Fatalf("the copy is %+v", s.Copy)
	}
	want := whole().Headers
	if got := users(s.Copy.Headers); !reflect.DeepEqual(got, want) {
		t.Errorf("the copy's headers are %v, want %v", got, want)
	}
}

func TestAHandlerThatChangesItsMessageChangesNoCopy(t *testing.T) {
	for name, end := range map[string]func() Result{
		"retry":      func() Result { return Retry(errors.New("down")) },
		"retryAfter": func() Result { return RetryAfter(time.Minute, errors.New("down")) },
		"timeout":    func() Result { return Timeout(errors.New("slow")) },
		"snooze":     func() Result { return Snooze(time.Minute) },
		"error":      func() Result { return Error(errors.New("bad")) },
		"zero":       func() Result { return Result{} },
		"panic":      func() Result { panic("boom") },
		"goexit":     func() Result { runtime.Goexit(); return Ack() },
	} {
		t.Run(name, func(t *testing.T) {
			wantWhole(t, process(t, spec(func(s *Spec) {
				s.Handler = func(_ context.Context, d Delivery) Result { spoil(d); return end() }
			}), whole()))
		})
	}
	t.Run("a codec", func(t *testing.T) {
		wantWhole(t, process(t, spec(func(s *Spec) {
			s.Handler = Decode(spoiler{}, func(context.Context, Message[string]) Result { return Ack() })
		}), whole()))
	})
}

// spoiler is a codec that decodes in place, and fails.
type spoiler struct{ publisher.Codec }

func (spoiler) Decode(body publisher.Body, _ any) error {
	clear(body.Bytes)
	return errors.New("cannot decode")
}

func TestAStuckHandlerThatChangesItsMessageChangesNoCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := quiet(t, slowly(func(_ context.Context, d Delivery) Result {
			spoil(d)
			time.Sleep(time.Hour)
			copy(d.Body, "much later")
			return Ack()
		}))
		raw, w := whole(), &worker{}
		d := c.decode(&raw, nil)
		var settlement Settlement
		c.attempt(t.Context(), w, d, func(a *attempt, e decide.Ending) {
			settlement = settlementOf(c.after(a.delivery, e, time.Now()))
		})
		w.keep([]byte("the next message")) // of the same worker
		wantWhole(t, settlement)
		if got := string(d.facts.Raw.Body); got != "as it came" {
			t.Errorf("monitors are told %q", got)
		}
	})
}

func TestAWorkerLetsTheMemoryOfALargeBodyGo(t *testing.T) {
	c, w := quiet(t, spec(nil)), &worker{}
	for size, want := range map[int]bool{100: true, mostKept: true, mostKept + 1: false} {
		raw := delivery(nil)
		raw.Body = make([]byte, size)
		w.body = nil
		c.attempt(t.Context(), w, c.decode(&raw, nil), func(*attempt, decide.Ending) {})
		if kept := w.body != nil; kept != want {
			t.Errorf("of %d bytes it keeps %d", size, cap(w.body))
		}
	}
}
