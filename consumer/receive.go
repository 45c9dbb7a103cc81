package consumer

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

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
	acker    *acker
	user     string
	ctx      context.Context // ends with the session
	cancel   context.CancelFunc
	closed   chan *amqp.Error
	canceled chan string

	mode         mode
	tags         int                  // subscriptions so far
	tag          string               // of the subscription
	deliveries   <-chan amqp.Delivery // of the subscription; nil while there is none
	backlog      []*received          // of an earlier subscription, to be handled before the next
	backlogUntil time.Time            // see shed
	head         *received            // the next to be handed to a worker
	came         amqp.Delivery        // and whether it did
	more         bool
	row          int // deliveries taken without a look at anything else
	began        time.Time
	calmed       *time.Timer  // see calmAfter; nil unless apart
	waiting      atomic.Bool  // receive waits until less is open
	open         atomic.Int64 // deliveries that are not settled, head and backlog among them
	quarantine   quarantine
}

var (
	errCanceled = errors.New("the broker cancelled the subscription; the queue was deleted, or its leader moved")
	errYield    = errors.New("the channel is closed so that the queue keeps its order")
)

// consume runs a session until it or the consumer ends. It returns nil for the latter. Its frame stays small, as
// receive's is on top of it: an idle consumer costs little more than its goroutines' stacks.
func (c *Consumer) consume(link transport.Session) error {
	s, err := c.newSession(link)
	if err != nil {
		return err
	}
	err = s.receive()
	return s.close(err)
}

func (c *Consumer) newSession(link transport.Session) (*session, error) {
	ch, err := link.Channel(c.connecting)
	if err != nil {
		return nil, err
	}
	s := &session{
		consumer: c, link: link, ch: ch, acker: newAcker(ch), user: link.User(), began: time.Now(),
		closed:   ch.NotifyClose(make(chan *amqp.Error, 1)),
		canceled: ch.NotifyCancel(make(chan string, 1)),
	}
	s.ctx, s.cancel = context.WithCancel(c.hard)
	c.slow.Store(false)
	c.calm.Store(false)
	c.setErr(nil)
	s.quarantine.look = time.AfterFunc(lookEvery, func() {
		s.quarantine.due.Store(true)
		c.poke()
	})
	if c.spec.guarded() {
		s.lookForOthers()
	}
	if c.apart.Load() {
		s.calmed = time.AfterFunc(calmAfter, c.poke)
	}
	return s, nil
}

// close ends the session, over an error or without one.
func (s *session) close(err error) error {
	c := s.consumer
	s.quarantine.look.Stop()
	if s.calmed != nil {
		s.calmed.Stop()
	}
	if errors.Is(err, amqp.ErrClosed) && s.link.Err() == nil { // an RPC that found the channel closed
		select {
		case e := <-s.closed:
			err = s.ended(e)
		case <-c.hard.Done():
		}
	}
	c.setReady(false)
	if !c.stopping.Load() && !(c.apart.Load() && errors.Is(err, transport.ErrUnreadable)) {
		c.losses.Add(1) // else a message of this queue is to blame, and its neighbours are to be taken one at a time
	}
	if !s.ch.IsClosed() {
		_ = s.acker.flush() // if that fails the channel has just ended
		// An RPC after the last ack: the broker has taken that one when this one is answered. Not with
		// a context of ours: a Stop that is out of time must not leave the channel, and what it holds, open.
		if e := s.link.Do(context.Background(), "close the consuming channel", s.ch.Close); e != nil {
			c.log.Info("close the consuming channel", "err", e)
		}
	}
	s.cancel()
	if dropped := s.acker.end(); dropped > 0 {
		c.stale.Add(int64(dropped))
		c.log.Info("session ended before acks were sent, the broker delivers the messages again", "messages", dropped)
	}
	s.endTurn()
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
		hold := false
		if s.want() != off && c.spec.guarded() {
			if s.quarantine.due.Swap(false) {
				s.lookForOthers()
			}
			var err error
			if hold, err = s.visit(); err != nil {
				return err
			}
		}
		var in <-chan amqp.Delivery
		var jobs chan<- *received
		if s.head == nil && len(s.backlog) > 0 {
			s.head, s.backlog = s.backlog[0], s.backlog[1:]
		}
		switch {
		case s.want() == off && (s.head == nil || !s.head.alone): // a single active consumer that waits for what it has started
		case s.head == nil:
			if in = s.deliveries; s.takeNext() {
				continue
			}
		case !hold || s.head.alone:
			if c.hand(s.head) {
				c.running.Add(1)
				s.head = nil
				continue
			}
			jobs = c.jobs
		}
		s.row = 0
		select {
		case s.came, s.more = <-in:
			s.take()
		case jobs <- s.head:
			c.running.Add(1)
			s.head = nil
		case <-c.wake:
		case _, ok := <-s.canceled:
			return s.over(ok)
		case e := <-s.closed:
			return s.ended(e)
		case <-c.hard.Done():
			return nil
		}
	}
}

// over is what a notice on canceled means: the client closes that at the end of the channel too.
func (s *session) over(canceled bool) error {
	if canceled {
		return errCanceled
	}
	return s.ended(<-s.closed)
}

// ended is why the channel has ended.
func (s *session) ended(e *amqp.Error) error {
	if e != nil && e.Server {
		return e
	}
	select { // the connection has, or is about to, and knows better
	case <-s.link.Done():
	case <-s.consumer.hard.Done():
	case <-time.After(5 * time.Second): // or it has not, after all
	}
	return errors.Join(asError(e), s.link.Err())
}

func asError(e *amqp.Error) error {
	if e == nil {
		return amqp.ErrClosed
	}
	return e
}

// inARow is how many deliveries are taken at most before receive looks at all that may have happened.
const inARow = 32

// takeNext takes a delivery if one is there already, which costs less than to wait for all that may happen. Inlined,
// its place for a delivery would be another part of receive's frame.
//
//go:noinline
func (s *session) takeNext() bool {
	if s.row == inARow {
		return false
	}
	select {
	case s.came, s.more = <-s.deliveries:
		s.row++
		s.take()
		return true
	default:
		return false
	}
}

// take looks at what has just come.
func (s *session) take() {
	if !s.more {
		s.deliveries = nil // a notice says why
		return
	}
	d := s.consumer.decodeAt(&s.came)
	s.came = amqp.Delivery{} // not to keep its body
	d.session = s
	s.open.Add(1)
	s.head = d
}

// busy says whether handlers run that may yet return. Those of a session that was lost count too.
func (c *Consumer) busy() bool { return c.running.Load() > c.stuck.Load() }

// done is a handler's return.
func (c *Consumer) done(d *received) {
	c.running.Add(-1)
	if d.alone {
		d.session.quarantine.running.Store(false)
		d.session.endTurn()
	}
	if d.alone || c.calm.Load() {
		c.poke()
	}
}

// settled is a delivery's end.
func (s *session) settled(d *received) {
	s.open.Add(-1)
	if d.alone {
		s.quarantine.inHand.Store(false)
	}
	if d.alone || s.waiting.Load() {
		s.consumer.poke()
	}
}
