package use

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/slots"
)

const (
	// near is how long before its place a message of a key comes again. A consumer's shortest retry
	// queue may have a second, so a message may come that much later than it asked to.
	near = 1250 * time.Millisecond

	// patient is how long it waits in its slot then. A line that is late has many that wait, so the
	// slots bound that, too.
	patient = 2 * near

	// soon is how long a message of a key that has not waited in the line waits in its slot at
	// most.
	soon = 500 * time.Millisecond

	// tries is how many moments a message may miss before it snoozes.
	tries = 3
)

// gate lets messages pass at the moments that a Limiter gives. It belongs to one consumer.
type gate struct {
	limiter Limiter
	crowd   *crowd // of a limit for keys; nil of one limit for the queue
}

// newGate returns the gate of a limit for keys.
func newGate(l Limiter) *gate { return &gate{limiter: l, crowd: new(crowd)} }

// pass returns true at the moment at which the message is to be handled, and otherwise the Result
// to return.
func (g *gate) pass(ctx context.Context, key, id string) (consumer.Result, bool) {
	if g.crowd != nil {
		g.crowd.waiting.Add(1)
		defer g.crowd.waiting.Add(-1)
	}
	began, whole := time.Now(), slots.Patience(ctx)
	ask := g.ask(ctx, whole, key, id)
	for range tries {
		s, err := g.limiter.Moment(ctx, ask)
		if err == nil {
			err = s.check(ask)
		}
		switch {
		case err != nil:
			return snooze(Jitter(2*time.Second, 1), fmt.Errorf("the limiter: %w", err)), false
		case !s.Given:
			return snooze(s.Wait, ErrLimit), false
		case s.Wait == 0:
			return consumer.Result{}, true
		}
		from := time.Now()
		if !backoff.Wait(ctx, s.Wait) { // a stop, mostly: the message is interrupted, whatever this returns
			return snooze(Jitter(time.Second*2/3, 1), context.Cause(ctx)), false
		}
		if time.Since(from) <= s.Wait+s.Slack {
			return consumer.Result{}, true
		}
		left := max(0, min(ask.Patience, whole-time.Since(began))) // the rule is about all its waits together
		ask.Patience, ask.First = left, left
	}
	return snooze(Jitter(time.Second*2/3, 1), fmt.Errorf("the message missed %d moments, because this process is too slow", tries)), false
}

// ask returns what a message asks that can wait for p. See Ask.
func (g *gate) ask(ctx context.Context, p time.Duration, key, id string) Ask {
	if g.crowd == nil {
		return Ask{Key: key, ID: id, Near: p, Patience: p, First: p * 3 / 4}
	}
	a := Ask{Key: key, ID: id, Near: near}
	a.Patience, a.First = g.crowd.patience(ctx, p)
	return a
}

// check returns an error for an answer that no Limiter may give.
func (s Answer) check(a Ask) error {
	switch longest := max(a.Patience, a.First); {
	case s.Wait < 0 || s.Slack < 0:
		return fmt.Errorf("it answers with Answer.Wait %s and Slack %s, want 0 or more", s.Wait, s.Slack)
	case s.Given && s.Wait > longest:
		return fmt.Errorf("it gives a moment in %s (Answer.Wait), want at most %s", s.Wait, longest)
	case s.Wait > farthest:
		return fmt.Errorf("it answers with Answer.Wait %s, want at most %s", s.Wait, farthest)
	}
	return nil
}

// crowd counts the messages in the slots of one consumer. They bound how many of them may wait:
// three quarters of the slots that no handler is using. So there is always a slot for messages that
// need not wait, and for those that snooze.
type crowd struct {
	inside  atomic.Int64 // the waiting included
	waiting atomic.Int64
}

func (c *crowd) enter() { c.inside.Add(1) }
func (c *crowd) leave() { c.inside.Add(-1) }

// patience returns how long a message that waits, and is counted, can wait at most if it comes in
// time for its place, and otherwise. The latter is less, the more others wait.
func (c *crowd) patience(ctx context.Context, p time.Duration) (inTime, otherwise time.Duration) {
	slots := int64(consumer.Concurrency(ctx))
	if slots == 0 {
		slots = consumer.DefaultConcurrency
	}
	others := c.waiting.Load() - 1
	handled := c.inside.Load() - c.waiting.Load()
	room := max(1, (slots-handled)*3/4)
	if others < room {
		inTime = min(p, patient)
	}
	if half := max(1, room/2); others < half {
		otherwise = min(p, soon*time.Duration(half-others)/time.Duration(half))
	}
	return inTime, otherwise
}

// isNil returns whether a Limiter or a Store is nil, or a nil pointer.
func isNil(it any) bool {
	if it == nil {
		return true
	}
	v := reflect.ValueOf(it)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
