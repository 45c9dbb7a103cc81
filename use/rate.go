package use

import (
	"context"
	"errors"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// Rate is middleware that keeps all messages of a queue below the limit of a Limiter. A message
// waits for its moment in its handler's slot, since no other one of the queue could begin before
// it. When its moment is too far away by the rule of slots, it snoozes.
//
//	what happens                             what becomes of the message
//	its moment is near                       handled then
//	its moment is far away                   snoozed until about then
//	the handler begins too late              asks for another moment
//	the limiter fails, or answers nonsense   snoozed for a few seconds, with the error
//	the consumer stops meanwhile             interrupted: it is in its queue again
//
// It does not promise that messages are handled in order, nor that a handler which retries counts
// once: each attempt takes a moment.
func Rate(limiter Limiter) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		if isNil(limiter) {
			panic(errors.New("use.Rate: the limiter is nil"))
		}
		g := &gate{limiter: limiter}
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			if r, ok := g.pass(ctx, "", d.MessageID); !ok {
				return r
			}
			return next(ctx, d)
		}
	}
}

// RatePerKey is middleware that keeps the messages of each key below the limit of a Limiter. A
// message whose moment is not near snoozes at once, until shortly before its place in the line of
// its key. So a busy key does not hold up the others, and a message snoozes about once. Consumers
// need Spec.Delays of topology.Ladder for that.
//
//	what happens                             what becomes of the message
//	a moment of its key is free, or near     handled at that moment
//	none is near                             snoozed until shortly before its place
//	the handler begins too late              asks for another moment
//	the limiter fails, or answers nonsense   snoozed for a few seconds, with the error
//	the key function panics                  retried, as after any panic
//	the consumer stops meanwhile             interrupted: it is in its queue again
//
// A moment is near if it comes within half a second for a message that comes first, and within two
// and a half for one that comes again in time. The message waits for it in its slot. Three quarters
// of the slots that no handler is using may have such messages.
//
// Messages come back in bunches, as far apart as the shortest retry queue is long: 250 ms with
// topology.Ladder. So busy keys are handled at their full rate if Spec.Concurrency is half of what
// their limits have in a second, or more: 25 for a key of 50 a second. It is to be four times as
// much where the shortest retry queue has a second. With less their messages snooze more often, and
// the others still do not wait.
//
// It does not promise that messages of a key are handled in order, or that a handler which retries
// counts once. With a Concurrency of 1 there is no slot to spare: a message that waits holds up
// others.
func RatePerKey(limiter Limiter, key func(consumer.Delivery) string) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		if isNil(limiter) {
			panic(errors.New("use.RatePerKey: the limiter is nil"))
		}
		if key == nil {
			panic(errors.New("use.RatePerKey: the key function is nil"))
		}
		g := newGate(limiter)
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			g.crowd.enter()
			defer g.crowd.leave()
			if r, ok := g.pass(ctx, key(d), d.MessageID); !ok {
				return r
			}
			return next(ctx, d)
		}
	}
}

// PerKey is RatePerKey around the function of consumer.JSON or consumer.Decode, for a key that is
// in the payload, so that the body is decoded once. What becomes of a message, and what is not
// promised, is as with RatePerKey. A nil limiter, key or h makes nil, which consumer.New refuses.
//
//	account := func(m consumer.Message[Order]) string { return m.Payload.Account }
//	spec.Handler = consumer.JSON(use.PerKey(limiter, account, handle))
func PerKey[T any](limiter Limiter, key func(consumer.Message[T]) string, h func(context.Context, consumer.Message[T]) consumer.Result) func(context.Context, consumer.Message[T]) consumer.Result {
	if isNil(limiter) || key == nil || h == nil {
		return nil
	}
	g := newGate(limiter)
	return func(ctx context.Context, m consumer.Message[T]) consumer.Result {
		g.crowd.enter()
		defer g.crowd.leave()
		if r, ok := g.pass(ctx, key(m), m.MessageID); !ok {
			return r
		}
		return h(ctx, m)
	}
}
