package consumertest

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// AssertAcked asserts that the message is done.
func (r *Run) AssertAcked() *Run {
	r.t.Helper()
	return r.assert(monitoring.Acked, monitoring.ReasonNone, 0)
}

// AssertRetried asserts that the message waits for delay and uses an attempt, for whatever reason.
func (r *Run) AssertRetried(delay time.Duration) *Run {
	r.t.Helper()
	return r.assert(monitoring.Retried, r.Settlement.Reason, delay)
}

// AssertRetriedFor is AssertRetried for one reason, such as monitoring.ReasonTimeout.
func (r *Run) AssertRetriedFor(reason monitoring.Reason, delay time.Duration) *Run {
	r.t.Helper()
	return r.assert(monitoring.Retried, reason, delay)
}

// AssertSnoozed asserts that the message waits for delay and uses no attempt.
func (r *Run) AssertSnoozed(delay time.Duration) *Run {
	r.t.Helper()
	return r.assert(monitoring.Snoozed, monitoring.ReasonNone, delay)
}

// AssertParked asserts that the message stands in the error queue for that reason.
func (r *Run) AssertParked(reason monitoring.Reason) *Run {
	r.t.Helper()
	return r.assert(monitoring.Parked, reason, 0)
}

// AssertInterrupted asserts that a stop cancelled the handler, and that the message is back
// in its queue.
func (r *Run) AssertInterrupted() *Run {
	r.t.Helper()
	return r.assert(monitoring.Interrupted, monitoring.ReasonNone, 0)
}

// AssertError asserts that the failure is target, in the sense of errors.Is. A nil target
// asserts that there is no error.
func (r *Run) AssertError(target error) *Run {
	r.t.Helper()
	if target == nil && r.Settlement.Err != nil || target != nil && !errors.Is(r.Settlement.Err, target) {
		r.t.Error(r.report(fmt.Sprintf("the error %v", target)))
	}
	return r
}

// AssertHeader asserts a header of the copy. Integers are equal if their values are.
func (r *Run) AssertHeader(name string, want any) *Run {
	r.t.Helper()
	got, ok := r.Headers()[name]
	switch {
	case !ok:
		r.t.Error(r.report(fmt.Sprintf("a copy with the header %s", name)))
	case !same(got, want):
		r.t.Error(r.report(fmt.Sprintf("the header %s: %#v, not %#v", name, want, got)))
	}
	return r
}

// AssertNoHeader asserts that the copy, if there is one, lacks a header.
func (r *Run) AssertNoHeader(name string) *Run {
	r.t.Helper()
	if got, ok := r.Headers()[name]; ok {
		r.t.Error(r.report(fmt.Sprintf("no header %s, it is %#v", name, got)))
	}
	return r
}

func (r *Run) assert(action monitoring.Action, reason monitoring.Reason, delay time.Duration) *Run {
	r.t.Helper()
	want := r.Settlement
	want.Action, want.Reason, want.Delay = action, reason, delay
	want.Deed = ""
	if got := r.Settlement; got.Action != action || got.Reason != reason || got.Delay != delay {
		r.t.Error(r.report(settled(want)))
	}
	return r
}

func (r *Run) report(want string) string {
	return fmt.Sprintf("consumertest: want %s\n\tgot        %s", want, r)
}

// same compares as AMQP does, where integers of all sizes are numbers.
func same(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.IsValid() && y.IsValid() && x.CanInt() && y.CanInt() {
		return x.Int() == y.Int()
	}
	return reflect.DeepEqual(a, b)
}
