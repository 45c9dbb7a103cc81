package consumer

import (
	"errors"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// intake takes deliveries from a session's main channel for the pool's workers. It makes the
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
	backlogUntil time.Time            // when what an earlier subscription has left goes back to the queue; zero means never
	batch        []*received          // what take has taken; kept to save an allocation

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
// settled after a Stop. What no worker has begun then is the broker's again when the channel is
// closed.
func (in *intake) run() error {
	defer in.c.pool.takeBack()
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

// step takes deliveries, or waits until something happens.
func (in *intake) step() error {
	taking := in.deliveries
	if in.c.pool.barred.Load() { // a single active consumer may still be subscribed
		taking = nil
	}
	select {
	case raw, ok := <-taking:
		in.take(&raw, ok)
	case <-in.c.control.changed:
		in.c.pool.rouse() // the limit may be higher
	case _, ok := <-in.lives.canceled:
		return in.lives.over(ok)
	case e := <-in.lives.closed:
		return in.lives.ended(e)
	case <-in.c.stages.hard.Done():
		return errHard
	}
	return nil
}

// burst is how many deliveries the intake takes in a row before it looks at everything else that
// may have happened. To receive a delivery that is there costs less than to select among everything
// (make bench, consume-16).
const burst = 32

// take adds a delivery, and what else the client has already received, to what the pool is to
// handle. All of it is taken at once, because it must be known how large the bodies are: the client
// keeps all that comes. ok is false when the subscription has ended.
func (in *intake) take(raw *amqp.Delivery, ok bool) {
	batch := in.batch[:0]
	for ok {
		batch = append(batch, in.c.decode(raw, in.from))
		if len(batch) == burst {
			break
		}
		select {
		case *raw, ok = <-in.deliveries:
			continue
		default:
		}
		break
	}
	if !ok {
		in.deliveries = nil // a notice of the channel says why
	}
	in.from.acks.Take(len(batch))
	if in.c.pool.add(batch...) > budget && in.c.lookahead.overBudget() {
		in.c.followLookahead()
	}
	clear(batch)
	in.batch = batch
}

// fell is called, in any goroutine, when a delivery of the channel was settled.
func (in *intake) fell() {
	if in.waiting.Load() {
		in.c.control.changed.set()
	}
}
