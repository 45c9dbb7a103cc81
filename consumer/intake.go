package consumer

import (
	"errors"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// intake takes deliveries from a session's main channel and hands them to workers. It makes the
// subscription follow control. The supervisor's goroutine runs it.
type intake struct {
	c     *Consumer // immutable
	lives *session  // immutable
	from  *channel  // immutable; only the intake makes requests on it

	// Only the supervisor's goroutine uses these.
	standing     int                  // the prefetch of the subscription; 0 while there is none
	tags         int                  // subscriptions so far
	tag          string               // of the last subscription
	deliveries   <-chan amqp.Delivery // of the subscription; nil while there is none
	backlog      backlog              // what an earlier subscription has left, or was taken eagerly; it is handled first
	backlogUntil time.Time            // when the backlog goes back to the queue; zero means never
	next         *received            // the next to be handed to a worker

	// waiting says that the intake is to be woken when fewer deliveries are unsettled. The intake
	// writes it, and whoever settles reads it.
	waiting atomic.Bool
}

var (
	errCanceled = errors.New("the broker cancelled the subscription; the queue was deleted, or its leader moved")
	errYield    = errors.New("the channel is closed so that the queue keeps its order")
	errReturn   = errors.New("the consumer goes on with another session")
)

// run takes deliveries until the session ends, which it returns as an error, or until everything is
// settled after a Stop.
func (in *intake) run() error {
	for {
		if err := in.bring(); err != nil {
			return err
		}
		if in.c.control.get().stopping && in.from.acks.InHand() == 0 {
			return nil
		}
		if err := in.step(); err != nil {
			return err
		}
	}
}

// burst is how many deliveries the intake takes in a row before it looks at everything else that
// may have happened. To receive a delivery that is there costs less than to select among everything
// (make bench, consume-16).
const burst = 32

// step hands out a delivery, or takes one, or waits until something happens.
func (in *intake) step() error {
	if in.next == nil {
		in.next = in.backlog.pop()
	}
	var jobs chan<- *received
	switch {
	case in.prefetch() == 0, in.c.pool.gate.closed.Load():
		// A single active consumer may have deliveries that must not start now.
	case in.rush():
		return nil
	case in.next != nil:
		jobs = in.c.pool.jobs
	}
	var taking <-chan amqp.Delivery
	if in.takes() {
		if taking = in.deliveries; in.next != nil && in.store() {
			return nil
		}
	}
	select {
	case raw, ok := <-taking:
		in.take(&raw, ok)
	case jobs <- in.next:
		in.next = nil
	case d := <-in.c.pool.refused:
		in.takeBack(d)
	case <-in.c.control.changed:
	case _, ok := <-in.lives.canceled:
		return in.lives.over(ok)
	case e := <-in.lives.closed:
		return in.lives.ended(e)
	case <-in.c.stages.hard.Done():
		return errHard
	}
	return nil
}

// takes returns whether a delivery may be taken from the client now.
func (in *intake) takes() bool {
	switch {
	case in.prefetch() == 0:
		return false
	case in.next == nil:
		return true
	}
	// While many may be on their way it must be known how large they are, although no worker can
	// begin them: the client keeps all that comes.
	return in.standing > in.c.lookahead.few
}

// rush hands out the backlog, and then what the client has already received. It returns false if
// it did nothing.
func (in *intake) rush() bool {
	if in.c.pool.refusing.Load() > 0 {
		return false // what was refused comes first
	}
	for n := range burst {
		if in.next == nil {
			in.next = in.backlog.pop()
		}
		if in.next == nil && !in.receive() {
			return n > 0
		}
		if in.next == nil || !in.c.pool.hand(in.next) {
			return n > 0
		}
		in.next = nil
		if in.c.pool.gate.closed.Load() {
			return true
		}
	}
	return true
}

// store adds what the client has already received to the backlog, until that is above the budget.
// It returns false if there was nothing.
func (in *intake) store() bool {
	for n := range burst {
		if !in.receive() {
			return n > 0
		}
		if in.backlog.bytes > budget {
			return true // the subscription may be another one now
		}
	}
	return true
}

// receive takes a delivery that the client has already received. It returns false if there is none.
func (in *intake) receive() bool {
	select {
	case raw, ok := <-in.deliveries:
		in.take(&raw, ok)
		return ok
	default:
		return false
	}
}

// take makes a delivery the next one to be handed out, or adds it to the backlog if there is one.
// ok is false when the subscription has ended.
func (in *intake) take(raw *amqp.Delivery, ok bool) {
	if !ok {
		in.deliveries = nil // a notice of the channel says why
		return
	}
	in.from.acks.Take(1)
	d := in.c.decode(raw, in.from)
	if in.next == nil {
		in.next = d
		return
	}
	in.backlog.push(d)
	if in.backlog.bytes > budget && in.c.lookahead.overBudget() {
		in.c.followLookahead()
	}
}

// takeBack puts a delivery first again that a worker could not handle, because the guard had closed
// the gate meanwhile, or the limit was lowered.
func (in *intake) takeBack(d *received) {
	in.c.pool.refusing.Add(-1)
	if d.from != in.from {
		return // it belongs to an earlier session, and is the broker's again
	}
	if in.next != nil {
		in.backlog.pushFirst(in.next)
	}
	in.next = d
}

// fell is called, in any goroutine, when a delivery of the channel was settled.
func (in *intake) fell() {
	if in.waiting.Load() {
		in.c.control.changed.set()
	}
}
