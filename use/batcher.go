package use

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/slots"
)

// batcher has the calls of one consumer's workers meet in batches. A member is one call. The member
// that leads, the first one that has not left, runs the function in its goroutine. The others wait
// for it in theirs. So a batch needs no goroutine, and a function that does not return is a stuck
// handler of one message, with its stack.
type batcher[M any] struct {
	// Immutable.
	size     int
	wait     time.Duration
	run      func(context.Context, []M) []consumer.Result
	delivery func(*M) *consumer.Delivery

	looked atomic.Bool // at the Concurrency, which is known when the first batch runs

	mu     sync.Mutex // guards what is below, and what batches say that it guards
	open   *batch[M]  // the one that gathers members; nil if none does
	inside int        // members of all batches
	usual  int        // members of the last batch that ran
}

func newBatcher[M any](size int, wait time.Duration, run func(context.Context, []M) []consumer.Result, delivery func(*M) *consumer.Delivery) *batcher[M] {
	return &batcher[M]{size: size, wait: wait, run: run, delivery: delivery}
}

// handle is the Handler. A stop cancels the contexts of the members one after the other, and the
// function's with the first. The function may have returned before the last one is cancelled. That
// member waits for it: without it its message is retried and uses an attempt, and with it the
// message is interrupted.
func (b *batcher[M]) handle(ctx context.Context, m M) consumer.Result {
	own, i, leads := b.join(ctx, m)
	r := b.meet(ctx, own, i, leads)
	if !r.Acked() && ctx.Err() == nil && own.stopping && (r.Retried() || gaveUp(r.Err())) {
		await(ctx, nil, linger)
	}
	return r
}

// meet leads the batch, or waits for what the function says of a member.
func (b *batcher[M]) meet(ctx context.Context, own *batch[M], i int, leads bool) consumer.Result {
	if leads {
		return b.lead(ctx, own, i)
	}
	select {
	case <-own.done:
		return own.result(i)
	case <-own.leaderless:
		return b.lead(ctx, own, i)
	case <-ctx.Done():
		return b.leave(ctx, own, i)
	}
}

// look warns once of batches that are never full.
func (b *batcher[M]) look(ctx context.Context, own *batch[M]) {
	slots := consumer.Concurrency(ctx)
	if slots == 0 || slots >= b.size || !b.looked.CompareAndSwap(false, true) {
		return
	}
	applog.First(applog.Of(ctx)).Warn("batches are never full; raise Concurrency or lower the size",
		"consumer", b.delivery(&own.members[0]).Consumer, "size", b.size, "concurrency", slots)
}

// join adds a member to the open batch, or opens one with it. It returns the batch and the member's
// index in it.
func (b *batcher[M]) join(ctx context.Context, m M) (own *batch[M], i int, leads bool) {
	due, slots := time.Now().Add(min(b.wait, slots.Patience(ctx))), consumer.Concurrency(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if leads = b.open == nil; leads {
		b.open = newBatch[M](min(b.size, max(b.usual, 1)), due)
	}
	own, i = b.open, len(b.open.seats)
	own.members = append(own.members, m)
	d := b.delivery(&own.members[i])
	own.seats = append(own.seats, seat{ctx: ctx, id: d.MessageID, body: d.Body})
	own.count++
	b.inside++
	switch {
	case own.count >= b.size, b.inside == slots: // a worker of this consumer is in each slot
		b.seal(own)
	case due.Before(own.due):
		own.due = due
		own.poke()
	}
	return own, i, leads
}

// seal lets nobody join any more. The caller holds mu.
func (b *batcher[M]) seal(own *batch[M]) {
	own.state = sealed
	if b.open == own {
		b.open = nil
	}
	own.poke()
}

// gather waits until the batch is sealed, and seals it when it is due. It returns false if ctx ends
// before.
func (b *batcher[M]) gather(ctx context.Context, own *batch[M]) bool {
	for {
		b.mu.Lock()
		left := time.Until(own.due)
		if own.state == gathering && left <= 0 {
			b.seal(own)
		}
		ready := own.state == sealed
		b.mu.Unlock()
		if ready {
			return ctx.Err() == nil
		}
		if !await(ctx, own.poked, left) {
			return false
		}
	}
}

// leave is about a member whose context has ended. Before the function runs it just goes. After
// that the function is told, and has some time to return.
func (b *batcher[M]) leave(ctx context.Context, own *batch[M], i int) consumer.Result {
	why := context.Cause(ctx)
	b.mu.Lock()
	if own.state < running {
		b.depart(own, i)
		b.mu.Unlock()
		return consumer.Retry(fmt.Errorf("use.Batch: the batch had not begun: %w", why))
	}
	cancel := own.cancel
	b.mu.Unlock()
	if errors.Is(ctx.Err(), context.Canceled) { // a deadline is the function's too
		cancel(why)
	}
	if consumer.Holds(ctx) {
		<-own.done
		return own.result(i)
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-own.done:
	case <-timer.C:
		b.mu.Lock()
		defer b.mu.Unlock()
		if own.state != ended {
			b.depart(own, i)
			return consumer.Retry(fmt.Errorf("use.Batch: the function has not returned: %w", why))
		}
	}
	return own.result(i)
}

// linger is how long a member whose context has ended waits for a function that runs. It is below
// the shortest time that a stop leaves to handlers, and Spec.Grace as it is by default.
const linger = 500 * time.Millisecond

// depart counts a member no more. The caller holds mu.
func (b *batcher[M]) depart(own *batch[M], i int) {
	own.seats[i].left = true
	own.count--
	b.inside--
	if own.count == 0 && b.open == own {
		b.open = nil
	}
}

// resign is about a member that was to lead, and whose context ended before the function ran.
// Another one leads then.
func (b *batcher[M]) resign(ctx context.Context, own *batch[M], i int) consumer.Result {
	r := b.leave(ctx, own, i)
	b.mu.Lock()
	defer b.mu.Unlock()
	if own.count > 0 {
		own.leaderless <- struct{}{} // it has room: who was to lead has taken what was in it
	}
	return r
}
