package consumer

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// session is one channel's life. What was delivered on it is settled on it or never:
// when it ends, its unacked deliveries are the broker's again.
//
// One goroutine takes deliveries and hands them to the workers. It is always in one of
// three modes, and changes between them by cancelling its subscription and making another:
// basic.qos does nothing to a live one, and a consumer tag used twice on a quorum queue
// ends the connection.
type session struct {
	consumer *Consumer
	link     transport.Session
	ch       transport.Channel
	user     string
	ctx      context.Context // ends with the session
	cancel   context.CancelFunc
	closed   chan *amqp.Error
	canceled chan string

	mode       mode
	tags       int                  // subscriptions so far
	tag        string               // of the subscription
	deliveries <-chan amqp.Delivery // of the subscription; nil while there is none
	backlog    []*received          // of an earlier subscription, to be handled before the next
	head       *received            // the next to be handed to a worker
	slow       bool                 // the crash guard takes one at a time
	waiting    atomic.Bool          // receive waits until less is open
	open       atomic.Int64         // deliveries that are not settled, head and backlog among them
}

var (
	errCanceled = errors.New("the broker cancelled the subscription; the queue was deleted, or its leader moved")
	errYield    = errors.New("the channel is closed so that the queue keeps its order")
)

// consume runs a session until it or the consumer ends. It returns nil for the latter.
func (c *Consumer) consume(link transport.Session) error {
	ch, err := link.Channel(c.connecting)
	if err != nil {
		return err
	}
	s := &session{
		consumer: c, link: link, ch: ch, user: link.User(), slow: c.spec.guarded() || c.apart.Load(),
		closed:   ch.NotifyClose(make(chan *amqp.Error, 1)),
		canceled: ch.NotifyCancel(make(chan string, 1)),
	}
	s.ctx, s.cancel = context.WithCancel(c.hard)
	c.slow.Store(s.slow)
	c.calm.Store(false)
	c.setErr(nil)
	err = s.receive()
	c.setReady(false)
	if !c.stopping.Load() && !(c.apart.Load() && errors.Is(err, connection.ErrUnreadable)) {
		c.losses.add(time.Now()) // else a message of this queue is to blame, and its neighbours are to be taken one at a time
	}
	if !ch.IsClosed() {
		// An RPC after the last ack: the broker has taken that one when this one is answered. Not with
		// a context of ours: a Stop that is out of time must not leave the channel, and what it holds, open.
		if e := link.Do(context.Background(), "close the consuming channel", ch.Close); e != nil {
			c.log.Info("close the consuming channel", "err", e)
		}
	}
	s.cancel()
	return err
}

// receive takes deliveries until the session ends, or all is settled after a Stop.
func (s *session) receive() error {
	c := s.consumer
	for {
		if err := s.adjust(); err != nil {
			return err
		}
		if c.stopping.Load() && s.open.Load() == 0 {
			return nil
		}
		var in <-chan amqp.Delivery
		var jobs chan<- *received
		if s.head == nil && len(s.backlog) > 0 {
			s.head, s.backlog = s.backlog[0], s.backlog[1:]
		}
		switch {
		case s.want() == off: // a single active consumer that waits for what it has started
		case s.head == nil:
			in = s.deliveries
		case s.mayStart():
			if c.hand(s.head) {
				c.running.Add(1)
				s.head = nil
				continue
			}
			jobs = c.jobs
		}
		select {
		case d, ok := <-in:
			if !ok {
				s.deliveries = nil // a notice says why
				break
			}
			s.take(d)
		case jobs <- s.head:
			c.running.Add(1)
			s.head = nil
		case <-c.wake:
		case <-s.canceled:
			return errCanceled
		case e := <-s.closed:
			return s.ended(e)
		case <-c.hard.Done():
			return nil
		}
	}
}

// ended is why the channel has ended.
func (s *session) ended(e *amqp.Error) error {
	if e != nil && e.Server {
		return e
	}
	select { // the connection has, or is about to, and knows better
	case <-s.link.Done():
	case <-s.consumer.hard.Done():
	}
	return errors.Join(asError(e), s.link.Err())
}

func asError(e *amqp.Error) error {
	if e == nil {
		return amqp.ErrClosed
	}
	return e
}

// take looks at a delivery that has just come.
func (s *session) take(raw amqp.Delivery) {
	d := s.consumer.decode(raw)
	d.session = s
	s.open.Add(1)
	if s.consumer.spec.guarded() {
		if d.crashes < suspicious {
			s.slow = false
		} else {
			s.slow = true
			s.consumer.calm.Store(true)
		}
		s.consumer.slow.Store(s.slow)
	}
	s.head = d
}

// mayStart says whether the head may go to a worker: while the guard is calming down,
// it is the suspect, and waits until it would be alone.
func (s *session) mayStart() bool { return !s.consumer.calm.Load() || !s.consumer.busy() }

// busy says whether handlers run that may yet return. Those of a session that was lost count too.
func (c *Consumer) busy() bool { return c.running.Load() > c.stuck.Load() }

// done is a handler's return.
func (c *Consumer) done() {
	c.running.Add(-1)
	if c.calm.Load() {
		c.poke()
	}
}

// settled is a delivery's end.
func (s *session) settled() {
	s.open.Add(-1)
	if s.waiting.Load() {
		s.consumer.poke()
	}
}
