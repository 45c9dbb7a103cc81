package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Settlement is what is to be done about a delivery: decided here, done in settle.
type Settlement struct {
	// Action is what is done. GivenBack says that there is none.
	Action monitoring.Action

	// Reason, Err, Stack and Delay are as in monitoring.Outcome.
	Reason monitoring.Reason
	Err    error
	Stack  string
	Delay  time.Duration

	// Duration is how long the handler ran.
	Duration time.Duration

	// GivenBack says that the message goes back to the broker as it is, to keep
	// its place: an interrupted one of a single active consumer.
	GivenBack bool

	// Early says that the message came before its time and goes round again, without its handler
	// having run. Action is Snoozed then.
	Early bool

	// Aside says that the message came back without an end and is set aside, to be handled alone, without its handler
	// having run. Action is Snoozed then.
	Aside bool

	// Group is the fingerprint that failures are grouped by; "" without a failure.
	Group string

	// Copy is what is published, and confirmed, before the ack; nil if there is nothing
	// to publish.
	Copy *sending.Envelope

	to        topology.Destination
	attempts  int       // the copy's retry-attempts
	notBefore time.Time // the copy's; zero is none
}

// settlement decides. It is pure: the same delivery, ending and time give the same Settlement.
func (c *Consumer) settlement(d *received, e ending, now time.Time) Settlement {
	s := c.decide(d, e, now)
	s.Duration = e.duration
	if s.Action != monitoring.Acked && !s.GivenBack {
		s = c.withCopy(d, s, now)
	}
	return s
}

// withCopy makes the copy. A user's headers that fill a frame, in bytes or in number, leave no room for the count that a retry
// has to carry; such a message is parked as it is, without a word of ours, for that does fit.
func (c *Consumer) withCopy(d *received, s Settlement, now time.Time) Settlement {
	s.Group = c.groupOf(s)
	s.Copy = c.copyOf(d, s, now)
	if fits(s) {
		return s
	}
	if s.Action == monitoring.Interrupted { // nothing failed
		s.GivenBack, s.Copy = true, nil
		return s
	}
	s.Action, s.to, s.Delay = monitoring.Parked, c.topology.Error(), 0
	s.Err = errors.Join(s.Err, errors.New("its headers leave no room for a retry"))
	s.Early = false // or it would not be reported
	if s.Reason == monitoring.ReasonNone {
		s.Reason = monitoring.ReasonError
	}
	s.Group = c.groupOf(s)
	s.Copy = c.bareCopy(d, s)
	if s.Copy.PropertiesSize() > sending.MaxProperties {
		s.Copy.DeliveryMode = d.raw.DeliveryMode // a byte that was not there
	}
	return s
}

// groupOf is the fingerprint of a failure, "" if there was none.
func (c *Consumer) groupOf(s Settlement) string {
	if s.Reason == monitoring.ReasonNone {
		return ""
	}
	return fingerprint(c.spec.Name, s.Err, s.Reason)
}

func (c *Consumer) decide(d *received, e ending, now time.Time) Settlement {
	tried := d.Attempt - 1
	r := e.result
	if e.panicked != nil {
		r = Retry(e.panicked)
	}
	switch {
	case e.interrupted && !r.Acked():
		if c.spec.SingleActive {
			return Settlement{Action: monitoring.Interrupted, Err: ErrStopping, GivenBack: true}
		}
		return Settlement{Action: monitoring.Interrupted, Err: ErrStopping, to: c.topology.Main(), attempts: tried, notBefore: d.notBefore}
	case r.Acked():
		return Settlement{Action: monitoring.Acked}
	case r.verdict == 0 && !e.timedOut:
		r = Retry(errZero)
	}
	switch {
	case r.verdict == verdictUndecodable:
		return c.park(d, monitoring.ReasonUndecodable, r.err, "")
	case e.panicked != nil:
		return c.retry(d, r, monitoring.ReasonPanic, e.stack, now)
	case e.timedOut && (r.verdict != verdictError || gaveUpOnContext(r.err)):
		err := errTimeout
		if r.err != nil {
			err = errors.Join(errTimeout, r.err)
		}
		return c.retry(d, Retry(err), monitoring.ReasonTimeout, e.stack, now)
	case r.verdict == verdictError:
		return c.park(d, monitoring.ReasonError, r.err, "")
	case r.verdict == verdictSnooze:
		s := c.wait(r.delay, now)
		s.Action, s.attempts = monitoring.Snoozed, tried
		return s
	}
	return c.retry(d, r, monitoring.ReasonRetry, "", now)
}

// errZero tells whoever forgot a return why the message is retried.
var errZero = errors.New("the handler returned the zero Result")

// retry is for a failure that may pass, if an attempt is left.
func (c *Consumer) retry(d *received, r Result, why monitoring.Reason, stack string, now time.Time) Settlement {
	if d.LastAttempt() {
		if why == monitoring.ReasonRetry {
			why = monitoring.ReasonRetriesExhausted
		}
		return c.park(d, why, r.err, stack)
	}
	var s Settlement
	if r.verdict == verdictRetryAfter {
		s = c.wait(r.delay, now)
	} else {
		to := c.topology.Retry(c.spec.Backoff[min(d.Attempt, len(c.spec.Backoff))-1])
		s = Settlement{to: to, Delay: to.Delay}
	}
	s.Action, s.Reason, s.Err, s.Stack, s.attempts = monitoring.Retried, why, r.err, stack, d.Attempt
	return s
}

func (c *Consumer) park(d *received, why monitoring.Reason, err error, stack string) Settlement {
	return Settlement{
		Action: monitoring.Parked, Reason: why, Err: err, Stack: stack,
		to: c.topology.Error(), attempts: d.Attempt - 1,
	}
}

// wait finds the queue for a wait of at least delay. A queue that waits less is passed
// again and again until the time has come, which the header bunnicula-not-before says.
func (c *Consumer) wait(delay time.Duration, now time.Time) Settlement {
	to := c.topology.Retry(delay)
	s := Settlement{to: to, Delay: max(delay, to.Delay)}
	if to.Delay < delay {
		s.notBefore = now.Add(delay)
	}
	return s
}

// moment is too little to go round again for: the worker waits for it.
const moment = 50 * time.Millisecond

// early is the settlement of a message that came more than a moment before its time, nil if it
// did not.
func (c *Consumer) early(d *received, now time.Time) *Settlement {
	left := d.notBefore.Sub(now)
	if d.notBefore.IsZero() || left < moment {
		return nil
	}
	to := c.topology.Retry(left)
	s := Settlement{Action: monitoring.Snoozed, Early: true, to: to, Delay: max(left, to.Delay), attempts: d.Attempt - 1}
	if to.Delay < left {
		s.notBefore = d.notBefore
	}
	s = c.withCopy(d, s, now)
	return &s
}

// errCrashed is why a message is parked as crashed.
var errCrashed = errors.New("its process or its connection died each time that it was handled")

func gaveUpOnContext(err error) bool {
	return isError(err, context.Canceled) || isError(err, context.DeadlineExceeded)
}
