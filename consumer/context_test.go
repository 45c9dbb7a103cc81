package consumer

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

type contextKey struct{}

func newHandlerContext(parent context.Context, timeout time.Duration) *handlerContext {
	return &handlerContext{parent: parent, spec: &Spec{Timeout: timeout}, began: time.Now()}
}

// Whoever looks at a handler's context sees what they would see of one that was made with its
// timeout at once.
func TestAHandlersContextIsLikeOneThatWasMadeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, stop := context.WithCancelCause(context.WithValue(context.Background(), contextKey{}, "value"))
		defer stop(nil)
		looked, late := newHandlerContext(parent, time.Second), newHandlerContext(parent, time.Second)
		reference, cancel := context.WithTimeoutCause(parent, time.Second, decide.ErrTimeout)
		defer cancel()
		same := func(when string, ctx context.Context) {
			t.Helper()
			d1, ok1 := ctx.Deadline()
			d2, ok2 := reference.Deadline()
			if !d1.Equal(d2) || ok1 != ok2 {
				t.Errorf("%s: the deadline is %v %v, want %v %v", when, d1, ok1, d2, ok2)
			}
			if !errors.Is(ctx.Err(), reference.Err()) || !errors.Is(context.Cause(ctx), context.Cause(reference)) {
				t.Errorf("%s: %v because of %v, want %v because of %v", when, ctx.Err(), context.Cause(ctx), reference.Err(), context.Cause(reference))
			}
			if ctx.Value(contextKey{}) != "value" {
				t.Errorf("%s: the value is %v", when, ctx.Value(contextKey{}))
			}
			select {
			case <-ctx.Done():
				if reference.Err() == nil {
					t.Errorf("%s: it is done", when)
				}
			default:
				if reference.Err() != nil {
					t.Errorf("%s: it is not done", when)
				}
			}
		}
		same("at first", looked)
		time.Sleep(time.Second)
		synctest.Wait()
		same("after its timeout", looked)
		same("after its timeout, at the first look", late)
		if cause := looked.end(); !errors.Is(cause, decide.ErrTimeout) {
			t.Errorf("the cause is %v", cause)
		}
	})
}

func TestAHandlersContextEndsWithItsParentsCause(t *testing.T) {
	for name, look := range map[string]bool{"seen": true, "never looked at": false} {
		t.Run(name, func(t *testing.T) {
			parent, stop := context.WithCancelCause(context.Background())
			h := newHandlerContext(parent, time.Hour)
			if look && h.Err() != nil {
				t.Fatal(h.Err())
			}
			stop(ErrStopping)
			if cause := h.end(); !errors.Is(cause, ErrStopping) {
				t.Errorf("the cause is %v", cause)
			}
		})
	}
}

func TestWhatIsMadeOfAHandlersContextEndsWithItAndCostsNoGoroutine(t *testing.T) {
	h := newHandlerContext(context.Background(), time.Hour)
	before := runtime.NumGoroutine()
	child, cancel := context.WithCancel(h)
	defer cancel()
	rang := make(chan struct{})
	context.AfterFunc(h, func() { close(rang) })
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
	if cause := h.end(); cause != nil {
		t.Errorf("the cause is %v", cause)
	}
	<-rang
	if <-child.Done(); !errors.Is(child.Err(), context.Canceled) {
		t.Errorf("the child's error is %v", child.Err())
	}
}

// A goroutine of the handler's may look at the context for the first time when the handler has long
// returned.
func TestAHandlersContextIsCancelledAfterItsEndWhoeverLooks(t *testing.T) {
	for _, timeout := range []time.Duration{NoTimeout, time.Hour} {
		h := newHandlerContext(context.Background(), timeout)
		if cause := h.end(); cause != nil {
			t.Errorf("the cause is %v", cause)
		}
		if <-h.Done(); !errors.Is(h.Err(), context.Canceled) || !errors.Is(context.Cause(h), context.Canceled) {
			t.Errorf("%v because of %v", h.Err(), context.Cause(h))
		}
	}
}

func TestAHandlerThatNeverLooksAtItsContextTimesOutAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := process(t, slowly(func(context.Context, Delivery) Result { time.Sleep(12 * time.Second); return Retry(nil) }), delivery(nil))
		if in(s).reason != "timeout" {
			t.Errorf("%v", in(s))
		}
	})
}

func TestTheContextOfAHandlerKnowsTheConcurrency(t *testing.T) {
	got := map[string]int{}
	process(t, Spec{Queue: "orders", Concurrency: 7, Handler: func(ctx context.Context, _ Delivery) Result {
		derived, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		got["its own"], got["derived"] = Concurrency(ctx), Concurrency(derived)
		return Ack()
	}}, delivery(nil))
	if got["its own"] != 7 || got["derived"] != 7 || Concurrency(t.Context()) != 0 {
		t.Errorf("the concurrency is %v, and %d of another context, want 7 and 0", got, Concurrency(t.Context()))
	}
}

func TestTheContextOfAHandlerKnowsTheGrace(t *testing.T) {
	for set, want := range map[time.Duration]time.Duration{0: DefaultGrace, 7 * time.Second: 7 * time.Second} {
		var its, derived time.Duration
		process(t, Spec{Queue: "orders", Grace: set, Handler: func(ctx context.Context, _ Delivery) Result {
			its, derived = Grace(ctx), Grace(context.WithoutCancel(ctx))
			return Ack()
		}}, delivery(nil))
		if its != want || derived != want || Grace(t.Context()) != 0 {
			t.Errorf("the grace is %s and %s, and %s of another context, want %s and 0", its, derived, Grace(t.Context()), want)
		}
	}
}

func TestTheContextOfAHandlerKnowsWhetherMessagesAreHeld(t *testing.T) {
	for _, when := range []WhenStuck{RetryNow, Hold} {
		process(t, Spec{Queue: "orders", WhenStuck: when, Handler: func(ctx context.Context, _ Delivery) Result {
			if Holds(ctx) != (when == Hold) {
				t.Errorf("WhenStuck %d: Holds is %t", when, Holds(ctx))
			}
			return Ack()
		}}, delivery(nil))
	}
	if Holds(t.Context()) {
		t.Error("another context holds messages")
	}
}
