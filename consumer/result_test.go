package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

var errBoom = errors.New("boom")

// list is an error that == panics on when it meets its like.
type list []string

func (l list) Error() string { return fmt.Sprint([]string(l)) }

// holder is one that seems comparable, and panics all the same.
type holder struct{ detail any }

func (h holder) Error() string { return fmt.Sprint(h.detail) }

func TestAccessorsSayWhichResultItIs(t *testing.T) {
	for _, row := range []struct {
		result                            Result
		acked, retried, snoozed, errored_ bool
		delay                             time.Duration
		err                               error
		text                              string
	}{
		{result: Result{}, retried: true, text: "Result{}"},
		{result: Ack(), acked: true, text: "Ack()"},
		{result: Retry(errBoom), retried: true, err: errBoom, text: "Retry(boom)"},
		{result: Retry(nil), retried: true, text: "Retry()"},
		{result: RetryAfter(time.Minute, errBoom), retried: true, err: errBoom, delay: time.Minute, text: "RetryAfter(1m0s, boom)"},
		{result: RetryAfter(-time.Minute, nil), retried: true, text: "RetryAfter(0s, <nil>)"},
		{result: Timeout(errBoom), retried: true, err: errBoom, text: "Timeout(boom)"},
		{result: Timeout(nil), retried: true, text: "Timeout()"},
		{result: Snooze(time.Minute), snoozed: true, delay: time.Minute, text: "Snooze(1m0s)"},
		{result: Snooze(-time.Minute), snoozed: true, text: "Snooze(0s)"},
		{result: SnoozeBecause(time.Minute, errBoom), snoozed: true, err: errBoom, delay: time.Minute, text: "Snooze(1m0s, boom)"},
		{result: SnoozeBecause(-time.Minute, nil), snoozed: true, text: "Snooze(0s)"},
		{result: Error(errBoom), errored_: true, err: errBoom, text: "Error(boom)"},
		{result: Error(nil), errored_: true, text: "Error()"},
		{result: Error((*fs.PathError)(nil)), errored_: true, err: (*fs.PathError)(nil), text: "Error(*fs.PathError: its Error method panicked)"},
		{result: Result{decide.Result{Verdict: 99}}, text: "Result?()"},
	} {
		r := row.result
		if r.Acked() != row.acked || r.Retried() != row.retried || r.Snoozed() != row.snoozed || r.Errored() != row.errored_ {
			t.Errorf("%v: acked %t, retried %t, snoozed %t, errored %t", r, r.Acked(), r.Retried(), r.Snoozed(), r.Errored())
		}
		if r.Delay() != row.delay || r.Err() != row.err || r.String() != row.text {
			t.Errorf("%v: delay %s, error %v, want %s, %s, %v", r, r.Delay(), r.Err(), row.text, row.delay, row.err)
		}
	}
}

func TestABodyThatCannotBeDecodedIsAnErroredResult(t *testing.T) {
	r := JSON(func(context.Context, Message[int]) Result { return Ack() })(t.Context(), Delivery{Body: []byte("{")})
	var d *DecodeError
	if !r.Errored() || r.Retried() || !errors.As(r.Err(), &d) || d.Err == nil {
		t.Error(r)
	}
}

func TestEqualComparesKindDelayAndError(t *testing.T) {
	same := errors.New("boom") // another with the same text
	for _, row := range []struct {
		a, b Result
		want bool
	}{
		{Ack(), Ack(), true},
		{Result{}, Result{}, true},
		{Result{}, Retry(nil), false}, // one was forgotten, the other was meant
		{Retry(nil), Retry(nil), true},
		{Retry(nil), Retry(errBoom), false},
		{Retry(errBoom), Retry(nil), false},
		{Retry(errBoom), Error(errBoom), false},
		{Retry(errBoom), Retry(errBoom), true},
		{Retry(errBoom), Retry(same), true},
		{Retry(fmt.Errorf("order 7: %w", errBoom)), Retry(errBoom), true},
		{Retry(errBoom), Retry(fmt.Errorf("order 7: %w", errBoom)), true},
		{Retry(io.EOF), Retry(errBoom), false},
		{RetryAfter(time.Second, errBoom), RetryAfter(time.Second, errBoom), true},
		{RetryAfter(time.Second, errBoom), RetryAfter(time.Minute, errBoom), false},
		{RetryAfter(0, nil), Retry(nil), false},
		{Timeout(errBoom), Timeout(errBoom), true},
		{Timeout(errBoom), Retry(errBoom), false},
		{Snooze(time.Second), Snooze(time.Second), true},
		{Snooze(time.Second), Snooze(time.Minute), false},
		{SnoozeBecause(time.Second, nil), Snooze(time.Second), true},
		{SnoozeBecause(time.Second, errBoom), SnoozeBecause(time.Second, errBoom), true},
		{SnoozeBecause(time.Second, errBoom), Snooze(time.Second), false},
		{SnoozeBecause(time.Second, errBoom), RetryAfter(time.Second, errBoom), false},
		{Error(list{"a"}), Error(list{"a"}), true},
		{Error(list{"a"}), Error(list{"b"}), false},
		{Error(list{"a"}), Error(errBoom), false},
		{Error(holder{[]string{"a"}}), Error(holder{[]string{"a"}}), true},
		{Error(holder{[]string{"a"}}), Error(holder{[]string{"b"}}), false},
		{Error((*fs.PathError)(nil)), Error((*fs.PathError)(nil)), true},
		{Error((*fs.PathError)(nil)), Error(errBoom), false},
		{Error(errBoom), Error((*fs.PathError)(nil)), false},
	} {
		if got := row.a.Equal(row.b); got != row.want {
			t.Errorf("%v equals %v: %t, want %t", row.a, row.b, got, row.want)
		}
	}
}

func TestFromErrorTurnsAnErrorIntoAResult(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("order 7: %w", err) }
	for name, row := range map[string]struct {
		err  error
		want Result
	}{
		"nil everyAck":                     {nil, Ack()},
		"an error is retried":              {errBoom, Retry(errBoom)},
		"Permanent parks":                  {Permanent(errBoom), Error(errBoom)},
		"Permanent of nil everyAck":        {Permanent(nil), Ack()},
		"a wrapped Permanent parks":        {wrap(wrap(Permanent(errBoom))), Error(errBoom)},
		"a joined Permanent parks":         {errors.Join(io.EOF, Permanent(errBoom)), Error(errBoom)},
		"Permanent of a wrapped one parks": {Permanent(wrap(errBoom)), Error(errBoom)},
		"After waits":                      {After(time.Minute, errBoom), RetryAfter(time.Minute, errBoom)},
		"After of nil everyAck":            {After(time.Minute, nil), Ack()},
		"a wrapped After waits":            {wrap(After(time.Minute, errBoom)), RetryAfter(time.Minute, errBoom)},
		"the outermost After waits":        {After(time.Minute, wrap(After(time.Second, errBoom))), RetryAfter(time.Minute, errBoom)},
		"a negative After waits as little": {After(-time.Minute, errBoom), RetryAfter(0, errBoom)},
		"SnoozeFor snoozes":                {SnoozeFor(time.Minute), Snooze(time.Minute)},
		"a wrapped SnoozeFor snoozes":      {wrap(SnoozeFor(time.Minute)), Snooze(time.Minute)},
		"a Permanent After parks":          {Permanent(After(time.Minute, errBoom)), Error(errBoom)},
		"an After of a Permanent parks":    {After(time.Minute, Permanent(errBoom)), Error(errBoom)},
	} {
		t.Run(name, func(t *testing.T) {
			h := FromError(func(context.Context, Message[int]) error { return row.err })
			got := h(t.Context(), Message[int]{})
			if !got.Equal(row.want) {
				t.Errorf("%v, want %v", got, row.want)
			}
			if row.want.Err() != nil && !errors.Is(got.Err(), row.want.Err()) {
				t.Errorf("the error is %v, which is not %v any more", got.Err(), row.want.Err())
			}
		})
	}
}

func TestMarkedErrorsReadLikeTheErrorsThatTheyMark(t *testing.T) {
	for _, err := range []error{Permanent(errBoom), After(time.Minute, errBoom)} {
		if err.Error() != "boom" || !errors.Is(err, errBoom) {
			t.Errorf("%q", err)
		}
	}
	if text := SnoozeFor(time.Minute).Error(); text != "snooze for 1m0s" {
		t.Error(text)
	}
}
