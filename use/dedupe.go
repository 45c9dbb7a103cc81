package use

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/slots"
)

// ErrBusy is the reason for which Dedupe has a message snooze while another copy is handled.
var ErrBusy = errors.New("use: another copy of the message is being handled")

// Values of Dedupe.
const (
	longestKeep  = 365 * 24 * time.Hour
	mostLapses   = 10               // as Spec.MaxCrashes by default
	settleWithin = 2 * time.Second  // for a handler whose context has ended
	endlessLease = time.Minute      // where a handler has no deadline
	renewEvery   = 20 * time.Second // that lease
)

// Dedupe is middleware that runs the handler for one of several copies of a message. Copies have
// the same message id and come to the same queue: a publisher that was not sure has published
// twice, or the broker has delivered a message again. Before the handler runs, the message claims
// its id in the Store. When the handler has returned Ack, the id is marked as done for keep.
//
//	what happens                                what becomes of the message
//	no other copy is known                      handled; only an Ack marks its id
//	another copy is being handled               snoozed, with ErrBusy
//	another copy was acked less than keep ago   acked, and not handled
//	the handler returns anything but Ack        that; the next attempt, or a redrive, runs
//	it panics or calls runtime.Goexit           retried, as without Dedupe; the next attempt runs
//	the Store fails, or answers nonsense        snoozed for a few seconds, with the error
//	the mark cannot be kept after an Ack        acked; another copy may run when the lease has ended
//	the publisher has set no message id         handled, without a claim
//	the process dies                            delivered again, snoozed, handled when the lease ends
//	that has happened ten times in a row        parked (with package use/redis)
//
// A claim has a lease: until the handler's deadline (Spec.Timeout) and its Grace after that, 65 s
// unless set. With NoTimeout it is a minute, which is renewed while the handler runs. A message
// whose process was killed finds its own claim. So it waits for the lease to end, and then for a
// random time of up to half a lease: the messages that were handled beside it come back apart from
// it, in case it kills its process again. A busy copy comes again after a second, two seconds, four
// and so on, while the other one is handled. That needs retry queues as short as that: Spec.Delays
// of topology.Ladder. Without them it waits for the shortest Backoff, a minute unless set.
//
// A copy that is not handled leaves a line in the consumer's log at the level Debug, and a mark
// that cannot be kept one at the level Warn. Monitors see an Ack. A Store of yours, around another
// one, can count.
//
// In Spec.Use, put Dedupe after MaxAge and after limits, so that only what can be handled is
// claimed. Put it before a Breaker, which would take the Ack of a copy that was not handled for an
// answer of the service, and before TreatAsAck, whose Ack is to mark. Middleware before it must not
// make another Result of an Ack.
//
// It does not promise that a message is handled once. When the process dies between the work and
// the mark, when the Store loses its marks, or when a handler outlives its lease, the work is done
// again. Where that is not good enough, keep the message id in the database that has the work, in
// the same transaction.
//
// Of a message that kills its process the consumer counts the deaths, and parks it after
// MaxCrashes, if the Store dies with the process, as a Memory does. A claim in a Store that
// outlives the process hides them from the consumer. So such a Store counts, and Dedupe parks the
// message after ten. Any Result of the handler begins that count anew, a Snooze too.
//
// A nil Store, or a keep below 1 ms or above 365 days, panics when consumer.New calls the
// middleware; that is an error of New.
func Dedupe(store Store, keep time.Duration) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		switch {
		case isNil(store):
			panic(errors.New("use.Dedupe: the store is nil"))
		case keep < time.Millisecond || keep > longestKeep:
			panic(fmt.Errorf("use.Dedupe: keep is %s, want 1ms to %s", keep, longestKeep))
		case next == nil:
			return nil
		}
		_, local := store.(*Memory)
		s := &deduper{store: store, keep: keep, local: local}
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			if d.MessageIDGiven || d.MessageID == "" {
				return next(ctx, d)
			}
			return s.handle(ctx, d, next)
		}
	}
}

// deduper is immutable.
type deduper struct {
	store Store
	keep  time.Duration
	local bool // the Store asks nobody, so its calls need no context that ends
}

// handle runs the handler if the message can claim its id. The claim is always settled: by a defer,
// so also after a panic or runtime.Goexit, whose Result is not Ack.
func (s *deduper) handle(ctx context.Context, d consumer.Delivery, next consumer.Handler) (r consumer.Result) {
	key, token := claimNames(d.Queue, d.MessageID)
	lease, endless := leaseFor(ctx)
	if instead, claimed := s.enter(ctx, d, key, token, lease); !claimed {
		return instead
	}
	defer func() { s.settle(ctx, d, key, token, r.Acked()) }()
	if endless {
		defer s.renew(ctx, key, token)() // ends before the claim is settled, or it would claim again
	}
	return next(ctx, d)
}

// enter claims the id. If the handler is not to run it returns false, and what becomes of the
// message.
func (s *deduper) enter(ctx context.Context, d consumer.Delivery, key, token string, lease time.Duration) (r consumer.Result, claimed bool) {
	c, err := s.claim(ctx, key, token, lease)
	if err == nil {
		err = c.check()
	}
	switch {
	case err != nil:
		r = snooze(Jitter(2*time.Second, 1), fmt.Errorf("the store of use.Dedupe: %w", foreign.Safe(err)))
	case c.State == ClaimBusy:
		r = snooze(comeAgain(lease, c.Left), ErrBusy)
	case c.State == ClaimDone:
		applog.First(applog.Of(ctx)).DebugContext(ctx, "message is not handled: another copy was", "queue", d.Queue, "message_id", foreign.Line(d.MessageID, longestKey))
		r = consumer.Ack()
	case c.Lapses >= mostLapses:
		s.settle(ctx, d, key, token, false)
		r = consumer.Error(fmt.Errorf("use: its process died, or its handler did not return, %d times in a row", c.Lapses))
	default:
		return r, true
	}
	return r, false
}

// claim asks the Store, by the rule of slots.
func (s *deduper) claim(ctx context.Context, key, token string, lease time.Duration) (Claim, error) {
	if !s.local {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, slots.Patience(ctx))
		defer cancel()
	}
	return s.store.Claim(ctx, key, token, lease)
}

// settle ends the claim. The handler's context may have ended, by a stop for example, so the call
// has one of its own. If it fails the Result stays as it is: a Retry of work that is done would
// surely do it again.
func (s *deduper) settle(ctx context.Context, d consumer.Delivery, key, token string, done bool) {
	if !s.local {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
		defer cancel()
	}
	if err := s.store.Settle(ctx, key, token, done, s.keep); err != nil {
		applog.First(applog.Of(ctx)).WarnContext(ctx, "claim of a message is not settled", "queue", d.Queue,
			"message_id", foreign.Line(d.MessageID, longestKey), "done", done, "err", foreign.Safe(err))
	}
}

// renew keeps the lease of a handler that has no deadline. The handler's goroutine calls what it
// returns at its end, and waits there for the renewing one.
func (s *deduper) renew(ctx context.Context, key, token string) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var renewing sync.WaitGroup
	renewing.Go(func() {
		for backoff.Wait(ctx, renewEvery) {
			c, err := s.claim(ctx, key, token, endlessLease)
			if err == nil && c.State != ClaimNew {
				return // the lease had ended: it is another's
			}
		}
	})
	return func() { cancel(); renewing.Wait() }
}

// leaseFor returns how long a claim of a handler with this context is to hold. Without a deadline
// it is to be renewed.
func leaseFor(ctx context.Context) (lease time.Duration, endless bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return endlessLease, true
	}
	grace := consumer.Grace(ctx)
	if grace == 0 {
		grace = consumer.DefaultGrace
	}
	return max(time.Until(deadline), 0) + grace, false
}

// comeAgain returns how long a busy message snoozes: for as long as the other copy has been handled
// so far, if its lease was as long. So there are few rounds, and the message waits at most about
// twice as long as it must. When the lease is about to end the process of that copy has died,
// probably, and so have those of its neighbours: they come back one after the other, since one of
// them may kill its process again.
func comeAgain(lease, left time.Duration) time.Duration {
	held := max(lease-left, time.Second)
	if held < left {
		return held
	}
	return left + Jitter(lease/2, 1) - lease/2
}

// claimNames returns the key of a message, and a token for its claim. No two messages have the same
// key: what stands before the first colon is the queue. Both are parts of one string, which saves
// an allocation.
func claimNames(queue, id string) (key, token string) {
	const digits, length = "0123456789abcdef", 32
	if strings.ContainsAny(queue, ":%") {
		queue = strings.NewReplacer(":", "%3A", "%", "%25").Replace(queue)
	}
	var b strings.Builder
	b.Grow(length + len(queue) + 1 + len(id))
	for range length / 16 {
		n := rand.Uint64()
		for range 16 {
			b.WriteByte(digits[n%16])
			n /= 16
		}
	}
	b.WriteString(queue)
	b.WriteByte(':')
	b.WriteString(id)
	return b.String()[length:], b.String()[:length]
}
