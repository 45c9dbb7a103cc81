package consumer

import (
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Result is what a handler says of a message. Ack, Retry, RetryAfter, Timeout, Snooze,
// SnoozeBecause and Error make one. The zero Result is retried, so a forgotten return may repeat
// work and never loses it.
type Result struct{ said decide.Result }

var verdictNames = [...]string{"Result{}", "Ack", "Retry", "RetryAfter", "Snooze", "Error", "Timeout", "Undecodable"}

// Ack says that the message is done. The message is acknowledged.
func Ack() Result { return Result{decide.Result{Verdict: decide.Ack}} }

// Retry says that the message may succeed later. The message waits as long as Spec.Backoff says,
// and uses an attempt. After Spec.MaxRetries retries it is parked. err is kept in the message's
// headers; it may be nil.
func Retry(err error) Result { return Result{decide.Result{Verdict: decide.Retry, Err: err}} }

// RetryAfter is Retry with a delay of at least d, whatever the Backoff. The message waits in the
// retry queues of Spec.Backoff and Spec.Delays, in several rounds if no queue has the delay. A
// warning says, once an hour, that it waits ten times as long or more. A d below 0 counts as 0.
func RetryAfter(d time.Duration, err error) Result {
	return Result{decide.Result{Verdict: decide.RetryAfter, Err: err, Delay: max(d, 0)}}
}

// Timeout is Retry for a handler that gave up waiting, for an API for example. It differs from
// Retry in the reason, which is that of a handler that ran past Spec.Timeout: monitors count and
// report a timeout, and the headers of the message say so. A handler that returns because its
// context has ended need not return it: any Result but Ack, Snooze and Error is a timeout then. err
// may be nil.
//
// It is :timeout of Clojure's Bunnicula.
func Timeout(err error) Result { return Result{decide.Result{Verdict: decide.Timeout, Err: err}} }

// Snooze says that the message is to wait and has no fault. The message waits at least d and uses
// no attempt. A handler of a rate-limited API returns it. A message can snooze without end. It
// waits in the retry queues of Spec.Backoff and Spec.Delays: with the default, a single queue of
// one minute, Snooze(2 * time.Second) takes a minute, and a warning says so. With topology.Ladder
// in Spec.Delays it is exact to 250 ms. A d below 0 counts as 0.
func Snooze(d time.Duration) Result {
	return Result{decide.Result{Verdict: decide.Snooze, Delay: max(d, 0)}}
}

// SnoozeBecause is Snooze with the reason for it, for a service that is down for example. Monitors
// get err as Outcome.Err, so the log says it; nothing has failed, so no monitor of this module
// counts or reports a failure. err may be nil.
func SnoozeBecause(d time.Duration, err error) Result {
	return Result{decide.Result{Verdict: decide.Snooze, Delay: max(d, 0), Err: err}}
}

// Error says that the message cannot succeed. The message is parked in the error queue with the
// text of err, which may be nil.
func Error(err error) Result { return Result{decide.Result{Verdict: decide.Error, Err: err}} }

// undecodable says that the body does not decode to what the handler takes.
func undecodable(err error) Result {
	return Result{decide.Result{Verdict: decide.Undecodable, Err: &DecodeError{err}}}
}

// DecodeError says that a body could not be decoded, or that its payload's Validate refused it. Err
// is the codec's error, or wraps that of Validate.
type DecodeError struct{ Err error }

func (e *DecodeError) Error() string { return "decode: " + foreign.Text(e.Err, foreign.MaxText) }
func (e *DecodeError) Unwrap() error { return e.Err }

// Err returns the error that the Result was made with, or nil.
func (r Result) Err() error { return r.said.Err }

// Delay returns the delay that RetryAfter or Snooze was given, and 0 for other Results.
func (r Result) Delay() time.Duration { return r.said.Delay }

// Acked returns whether the Result is Ack.
func (r Result) Acked() bool { return r.said.Verdict == decide.Ack }

// Retried returns whether the Result is Retry, RetryAfter, Timeout or the zero Result.
func (r Result) Retried() bool {
	switch r.said.Verdict {
	case 0, decide.Retry, decide.RetryAfter, decide.Timeout:
		return true
	}
	return false
}

// TimedOut returns whether the Result is Timeout.
func (r Result) TimedOut() bool { return r.said.Verdict == decide.Timeout }

// Snoozed returns whether the Result is Snooze.
func (r Result) Snoozed() bool { return r.said.Verdict == decide.Snooze }

// Errored returns whether the Result is Error, or that of a body that could not be decoded.
func (r Result) Errored() bool {
	return r.said.Verdict == decide.Error || r.said.Verdict == decide.Undecodable
}

// Equal returns whether two Results have the same kind, delay and error. It is for tests. Errors
// are the same if errors.Is finds one in the other, or if their texts are equal.
func (r Result) Equal(o Result) bool {
	if r.said.Verdict != o.said.Verdict || r.said.Delay != o.said.Delay || (r.said.Err == nil) != (o.said.Err == nil) {
		return false
	}
	return r.said.Err == nil || foreign.Is(r.said.Err, o.said.Err) || foreign.Is(o.said.Err, r.said.Err) ||
		foreign.Text(r.said.Err, foreign.MaxText) == foreign.Text(o.said.Err, foreign.MaxText)
}

// String returns the call that made the Result, as in "Retry(connection refused)".
func (r Result) String() string {
	name := "Result?"
	if r.said.Verdict >= 0 && int(r.said.Verdict) < len(verdictNames) {
		name = verdictNames[r.said.Verdict]
	}
	switch {
	case r.said.Verdict == 0:
		return name
	case r.said.Verdict == decide.Snooze && r.said.Err == nil:
		return fmt.Sprintf("%s(%s)", name, r.said.Delay)
	case r.said.Verdict == decide.RetryAfter, r.said.Verdict == decide.Snooze:
		return fmt.Sprintf("%s(%s, %v)", name, r.said.Delay, foreign.Safe(r.said.Err))
	case r.said.Err != nil:
		return fmt.Sprintf("%s(%v)", name, foreign.Safe(r.said.Err))
	}
	return name + "()"
}

// Errors that FromError understands.

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

type afterError struct {
	error
	delay time.Duration
}

func (e afterError) Unwrap() error { return e.error }

type snoozeError time.Duration

func (e snoozeError) Error() string { return "snooze for " + time.Duration(e).String() }

// Permanent marks an error that no retry mends. FromError makes an Error of it. Permanent(nil) is
// nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

// After marks an error that is worth a retry after d. FromError makes a RetryAfter of it. After(d,
// nil) is nil.
func After(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return afterError{err, d}
}

// SnoozeFor returns an error of which FromError makes a Snooze.
func SnoozeFor(d time.Duration) error { return snoozeError(d) }

// ResultOf returns the Result that FromError makes of an error.
func ResultOf(err error) Result {
	if err == nil {
		return Ack()
	}
	if snooze, ok := foreign.As[snoozeError](err); ok {
		return Snooze(time.Duration(snooze))
	}
	if _, ok := foreign.As[permanentError](err); ok {
		return Error(err)
	}
	if after, ok := foreign.As[afterError](err); ok {
		return RetryAfter(after.delay, err)
	}
	return Retry(err)
}
