package decide

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Errors of failures that the framework finds. ErrStopping is also the cause of a handler's context
// that a stop has cancelled.
var (
	ErrStopping = errors.New("consumer: stopping")
	ErrTimeout  = fmt.Errorf("the handler ran past its timeout: %w", context.DeadlineExceeded)
	ErrZero     = errors.New("the handler returned the zero Result")
	ErrCrashed  = errors.New("its process or its connection died each time that it was handled")
	ErrUnread   = errors.New("its headers cannot be read: they are nested too deeply, or there are too many")
)

// plan is what is known of a Settlement by copy before the copy is made.
type plan struct {
	outcome   monitoring.Outcome
	to        route.Destination
	attempts  int       // the copy's retry-attempts
	notBefore time.Time // the copy's bunnicula-not-before; zero is none
	crashes   int       // the copy's bunnicula-crashes; 0 is none
	crashedAt time.Time // the copy's bunnicula-crashed-at; zero is none
}

// After decides about a delivery whose attempt has ended. The handler's errors are made safe here,
// once for the copy's headers and for all monitors.
func After(r *Rules, f *Facts, e Ending, g Given) Settlement {
	e.Result.Err, e.Panicked = foreign.Safe(e.Result.Err), foreign.Safe(e.Panicked)
	outcome, verdict := judge(e)
	outcome.Duration = e.Duration
	var p plan
	switch verdict {
	case Ack:
		return Settlement{Deed: DeedAck, Outcome: outcome}
	case interrupted:
		if r.KeepsPlace {
			return Settlement{Deed: DeedLeave, Outcome: outcome}
		}
		p = plan{to: route.Main(r.Topology), attempts: f.tried(), notBefore: f.NotBefore()}
	case Snooze:
		p = r.wait(e.Result.Delay, g.Now)
		p.attempts = f.tried()
		outcome.Delay = p.outcome.Delay
	case Error, Undecodable:
		p = r.park(f)
	default:
		p, outcome = r.retry(f, e.Result.Delay, verdict, outcome, g.Now)
	}
	p.outcome = outcome
	s := r.copy(f, p, g)
	if asked := e.Result.Delay; (verdict == Snooze || verdict == RetryAfter) && stretched(asked, s.Outcome) {
		s.Stretched = asked
	}
	return s
}

// stretched returns whether a message waits ten times as long as its handler has asked for, or
// longer. To ask for no delay is to ask for the shortest that there is.
func stretched(asked time.Duration, o monitoring.Outcome) bool {
	waits := o.Action == monitoring.Retried || o.Action == monitoring.Snoozed
	return waits && asked > 0 && o.Delay/10 >= asked
}

// interrupted is the verdict about a handler that a stop has cancelled. No handler gives it.
const interrupted = Undecodable + 1

// judge returns what an ending means: what the monitor is told, and the verdict to act on.
func judge(e Ending) (monitoring.Outcome, Verdict) {
	r := e.Result
	switch {
	case r.Verdict == Ack && e.Panicked == nil:
		return monitoring.Outcome{Action: monitoring.Acked}, Ack
	case e.Interrupted:
		return monitoring.Outcome{Action: monitoring.Interrupted, Err: ErrStopping}, interrupted
	case e.Panicked != nil:
		return retried(monitoring.ReasonPanic, e.Panicked, e.Stack), Retry
	case r.Verdict == Undecodable:
		return parked(monitoring.ReasonUndecodable, r.Err), Undecodable
	case e.TimedOut && r.Verdict != Snooze && (r.Verdict != Error || gaveUpOnContext(r.Err)):
		err := ErrTimeout
		if r.Err != nil {
			err = errors.Join(ErrTimeout, r.Err)
		}
		return retried(monitoring.ReasonTimeout, err, e.Stack), Retry
	}
	switch r.Verdict {
	case Error:
		return parked(monitoring.ReasonError, r.Err), Error
	case Snooze:
		return monitoring.Outcome{Action: monitoring.Snoozed, Err: r.Err}, Snooze
	case Retry, RetryAfter:
		return retried(monitoring.ReasonRetry, r.Err, ""), r.Verdict
	case Timeout:
		return retried(monitoring.ReasonTimeout, r.Err, ""), Retry
	}
	return retried(monitoring.ReasonRetry, ErrZero, ""), Retry
}

func retried(why monitoring.Reason, err error, stack string) monitoring.Outcome {
	return monitoring.Outcome{Action: monitoring.Retried, Reason: why, Err: err, Stack: stack}
}

func parked(why monitoring.Reason, err error) monitoring.Outcome {
	return monitoring.Outcome{Action: monitoring.Parked, Reason: why, Err: err}
}

// tried returns how many attempts were used before this one.
func (f *Facts) tried() int { return f.Attempt - 1 }

// retry plans another attempt, or parks the message when none is left.
func (r *Rules) retry(f *Facts, delay time.Duration, v Verdict, o monitoring.Outcome, now time.Time) (plan, monitoring.Outcome) {
	if f.Attempt > r.MaxRetries {
		if o.Reason == monitoring.ReasonRetry {
			o.Reason = monitoring.ReasonRetriesExhausted
		}
		o.Action = monitoring.Parked
		return r.park(f), o
	}
	var p plan
	if v == RetryAfter {
		p = r.wait(delay, now)
	} else {
		p.to = route.Retry(r.Topology, r.Backoff[min(f.Attempt, len(r.Backoff))-1])
		p.outcome.Delay = p.to.Delay
	}
	p.attempts = f.Attempt
	o.Delay = p.outcome.Delay
	return p, o
}

// park plans a copy to the error queue.
func (r *Rules) park(f *Facts) plan { return plan{to: route.Error(r.Topology), attempts: f.tried()} }

// wait plans a copy that waits at least delay. If no queue has so long a delay, the message passes
// one again and again until the time in the header bunnicula-not-before. sending.Draft does the
// same for a message that is published with a delay.
func (r *Rules) wait(delay time.Duration, now time.Time) plan {
	p := plan{to: route.Retry(r.Topology, delay)}
	p.outcome.Delay = max(delay, p.to.Delay)
	if p.to.Delay < delay {
		p.notBefore = now.Add(delay)
	}
	return p
}

// gaveUpOnContext returns whether a handler failed because its context had ended.
func gaveUpOnContext(err error) bool {
	return foreign.Is(err, context.Canceled) || foreign.Is(err, context.DeadlineExceeded)
}
