package use

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/slots"
)

// Breaker spares a service that is down, and the messages that need it. It is closed while the
// service answers. When the handler has failed for several messages in a row it opens: messages
// wait, one of them probes whether the service is back, and no failure uses an attempt. When the
// probe gets an answer the breaker is closing. So an outage parks nothing.
//
//	Use: []consumer.Middleware{use.Breaker{Failures: 10, Rest: 10 * time.Second}.New()},
//
// What counts:
//
//	a failure      Retry, RetryAfter, Timeout, the zero Result, HTTPResult of a 503; a panic or
//	               runtime.Goexit; a handler that ran past its timeout, unless it returns Ack, Snooze
//	               or an Error of its own
//	an answer      Ack, Error
//	neither        Snooze, a body that does not decode, a handler that a stop has cancelled, and a
//	               Retry of which Failed says that it is no failure
//
// What becomes of a message:
//
//	the breaker is           the handler     a failure
//	closed                   runs            is what the handler says it is
//	about to open            runs            opens it: the message snoozes
//	open                     does not run    the message waits in its slot, and then snoozes
//	open, and Rest is over   runs for one    rests again: the message snoozes
//	closing                  runs for few    the message snoozes; that of a second one opens it
//
// It closes by ten answers: after the first, two calls run at once, after the second, three, and so
// on, so that a service that comes back is not called by all at once. A probe that was neither a
// failure nor an answer is followed by another at once; after HTTPResult of a 429 that one waits
// for a Rest. Messages wait in their slots by the rule of slots. A message snoozes for what is left
// of Rest, or for the longer delay of its RetryAfter, so the consumer needs a retry queue that is
// about as short. The log has the reason, in which errors.Is finds ErrDown. A call that began
// before the breaker opened, and fails after that, snoozes too.
//
// Before it opens, up to Failures - 1 messages have used an attempt. A failure that would park its
// message is different: the last attempt, or an Error that Failed calls a failure. After a failure
// of another message it snoozes. So with NoRetries an outage parks the first message alone. A
// message that fails more than Failures times, while none gets an answer and the breaker does not
// open, is parked by its last attempt.
//
// It does not promise to end: a message that fails while the breaker is open snoozes, again and
// again. MaxAge, outside of it, bounds that. It counts in one process. A handler that does not
// return after its timeout, or calls runtime.Goexit, uses an attempt.
type Breaker struct {
	// Failures is how many messages must fail in a row, each with another message id, until it
	// opens, from 1 to 10,000. With 1, no failure ever uses an attempt. In a queue with few
	// messages, choose it below the number that come while one is retried.
	//
	// Defaults to 10.
	Failures int

	// Rest is how long the service is left alone before a call probes it, 1 ms or more.
	//
	// Defaults to 10 s.
	Rest time.Duration

	// Failed returns whether a Result is a failure of the service. It is not asked about Ack, a
	// handler past its timeout, a body that does not decode, and a stop. It may be asked by several
	// goroutines at once. A 401 of a key that was revoked, for example:
	//
	//	Failed: func(r consumer.Result) bool {
	//		var status *use.StatusError
	//		return r.Retried() || errors.As(r.Err(), &status) && status.Status == http.StatusUnauthorized
	//	}
	//
	// Defaults to Retry, RetryAfter, Timeout, the zero Result, and a Snooze for a 503 (HTTPResult).
	Failed func(consumer.Result) bool
}

// ErrDown is the reason for which a Breaker has a message snooze. It comes with the last failure.
var ErrDown = errors.New("use: the service seems to be down")

// Defaults and limits of Breaker.
const (
	defaultFailures = 10
	maxFailures     = 10_000
	defaultRest     = 10 * time.Second
)

// New returns the middleware. All handlers that it wraps share its state: consumers of one service
// may use the same one. It panics for a Breaker with a field that is out of range, when
// consumer.New calls it; that is an error of New.
func (b Breaker) New() consumer.Middleware {
	s := b.state()
	return func(next consumer.Handler) consumer.Handler {
		if err := b.check(); err != nil {
			panic(err)
		}
		if next == nil {
			return nil
		}
		return func(ctx context.Context, d consumer.Delivery) consumer.Result { return s.handle(ctx, d, next) }
	}
}

func (b Breaker) check() error {
	switch {
	case b.Failures < 0 || b.Failures > maxFailures:
		return fmt.Errorf("use: Breaker.Failures is %d, want 1 to %d, or 0 for %d", b.Failures, maxFailures, defaultFailures)
	case b.Rest != 0 && b.Rest < time.Millisecond:
		return fmt.Errorf("use: Breaker.Rest is %s, want 1ms or more, or 0 for %s", b.Rest, defaultRest)
	}
	return nil
}

func (b Breaker) state() *breaker {
	s := &breaker{failed: b.Failed, changed: make(chan struct{})}
	if s.failed == nil {
		s.failed = isDown
	}
	if s.circuit.failures = b.Failures; b.Failures == 0 {
		s.circuit.failures = defaultFailures
	}
	if s.circuit.rest = b.Rest; b.Rest == 0 {
		s.circuit.rest = defaultRest
	}
	return s
}

// breaker is a circuit with a clock and a lock.
type breaker struct {
	failed func(consumer.Result) bool // immutable

	mu      sync.Mutex // guards what is below
	circuit circuit
	why     error         // the last failure
	changed chan struct{} // closed, and replaced, when a call that waits may go ahead
}

// handle runs the handler if the circuit lets it. The end of the call is always told to the
// circuit: a probe that was lost would keep it open.
func (b *breaker) handle(ctx context.Context, d consumer.Delivery, next consumer.Handler) (r consumer.Result) {
	c, instead := b.begin(ctx, d)
	if instead != nil {
		return *instead
	}
	end := ending{what: panicked}
	defer func() {
		if end.what == panicked && stopped(ctx) {
			end.what = neither
		}
		c.last = d.LastAttempt() || r.Errored()
		wait, counts := b.end(c, end)
		if counts {
			return // a panic goes on, so that the consumer has its stack
		}
		if end.what == panicked {
			p := recover()
			if p == nil {
				return // runtime.Goexit cannot be stopped
			}
			end.why = fmt.Errorf("panic: %s", foreign.Panic(p))
		}
		r = snooze(max(wait, r.Delay()), down(end.why))
	}()
	r = next(ctx, d)
	end = judge(ctx, r, b.failed)
	return r
}

// begin waits until a call may go ahead. If it is not to, it returns what becomes of the message.
func (b *breaker) begin(ctx context.Context, d consumer.Delivery) (call, *consumer.Result) {
	c := call{id: d.MessageID}
	var patient time.Time
	for {
		now := time.Now()
		b.mu.Lock()
		wait := b.circuit.ask(now)
		c.era = b.circuit.era
		changed, why := b.changed, b.why
		b.mu.Unlock()
		if wait == 0 {
			return c, nil
		}
		if patient.IsZero() {
			patient = now.Add(slots.Patience(ctx))
		}
		left := patient.Sub(now)
		if left <= 0 || !await(ctx, changed, min(wait, left)) {
			r := snooze(wait, down(why))
			return c, &r
		}
	}
}

// end tells the circuit of the end of a call, and wakes the calls that wait. It returns how long
// the message snoozes if its failure does not count.
func (b *breaker) end(c call, e ending) (wait time.Duration, counts bool) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := b.circuit.state != closed
	counts = b.circuit.end(now, c, e.what)
	switch e.what {
	case failed, panicked:
		b.why = e.why
	case answered:
		b.why = nil
	}
	if waiting && (b.circuit.state != open || e.what == neither) {
		close(b.changed)
		b.changed = make(chan struct{})
	}
	if b.circuit.state == closed {
		return b.circuit.rest, counts
	}
	return max(0, b.circuit.until.Sub(now)), counts
}

// down is why a message snoozes.
func down(why error) error {
	if why == nil {
		return ErrDown
	}
	return fmt.Errorf("%w: %w", ErrDown, foreign.Safe(why))
}
