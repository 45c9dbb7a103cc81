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
	backlog      []*received          // what an earlier subscription has left; it is handled first
	backlogUntil time.Time            // when the backlog goes back to the queue; zero means never
	next         *received            // the next to be handed to a worker

	// waiting says that the intake is to be woken when fewer deliveries are unsettled. The intake
	// writes it, and whoever settles reads it.
	waiting atomic.Bool
}

var (
	errCanceled = errors.New("the broker cancelled the subscription; the queue was deleted, or its leader moved")
	errYield    = errors.New("the channel is closed so that the queue keeps its order")
	errReturn   = errors.New("the consumer goes back to the shared connection")
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
	if in.next == nil && len(in.backlog) > 0 {
		in.next, in.backlog = in.backlog[0], in.backlog[1:]
	}
	var taking <-chan amqp.Delivery
	var jobs chan<- *received
	switch {
	case in.prefetch() == 0: // a single active consumer may have deliveries that must not start now
	case in.next == nil:
		taking = in.deliveries
		if in.rush() {
			return nil
		}
	case !in.c.pool.gate.closed.Load():
		if in.c.pool.hand(in.next) {
			in.next = nil
			return nil
		}
		jobs = in.c.pool.jobs
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

// rush takes and hands out what the client has already received. It returns false if that was
// nothing.
func (in *intake) rush() bool {
	for n := range burst {
		select {
		case raw, ok := <-in.deliveries:
			in.take(&raw, ok)
		default:
			return n > 0
		}
		if in.next == nil || in.c.pool.gate.closed.Load() || !in.c.pool.hand(in.next) {
			return true
		}
		in.next = nil
	}
	return true
}

// take makes a delivery the next one to be handed out. ok is false when the subscription has ended.
func (in *intake) take(raw *amqp.Delivery, ok bool) {
	if !ok {
		in.deliveries = nil // a notice of the channel says why
		return
	}
	in.from.acks.Take(1)
	in.next = in.c.decode(raw, in.from)
}

// takeBack puts a delivery first again that a worker could not handle, because the guard had closed
// the gate meanwhile.
func (in *intake) takeBack(d *received) {
	if d.from != in.from {
		return // it belongs to an earlier session, and is the broker's again
	}
	if in.next != nil {
		in.backlog = append([]*received{in.next}, in.backlog...)
	}
	in.next = d
}

// fell is called, in any goroutine, when a delivery of the channel was settled.
func (in *intake) fell() {
	if in.waiting.Load() {
		in.c.control.changed.set()
	}
}
