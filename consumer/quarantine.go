package consumer

import (
	"context"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// A message that kills its process comes back with a higher x-delivery-count, and so do its innocent neighbours that
// were only taken ahead: in the main queue the count proves nothing. So a message that came back twice is set
// aside, by a copy in the quarantine queue, to which nobody subscribes. It is taken from there by basic.get when
// nothing else runs, and handled alone. There the count is how often its process died over it, or its connection was lost.

// aside is the settlement of a message that is to be handled alone, nil if it is not.
func (c *Consumer) aside(d *received, now time.Time) *Settlement {
	if d.alone || !c.spec.guarded() || d.crashes < suspicious {
		return nil
	}
	s := Settlement{Action: monitoring.Snoozed, Aside: true, to: c.topology.Quarantine(), attempts: d.Attempt - 1, notBefore: d.notBefore}
	s.Copy = c.copyOf(d, s, now)
	if !fits(s) {
		s.Copy = c.bareCopy(d, s)
	}
	if !fits(s) {
		return nil // it could never be read again
	}
	c.log.Warn("a message came back without an end, it will be handled alone", "message_id", d.MessageID, "times", d.crashes)
	return &s
}

// crashed is the settlement of a message that was handled alone and without an end too often, nil if it was not.
func (c *Consumer) crashed(d *received, now time.Time) *Settlement {
	if !d.alone || suspicious+d.crashes < c.spec.MaxCrashes {
		return nil
	}
	return c.parkAsCrashed(d, now)
}

func (c *Consumer) parkAsCrashed(d *received, now time.Time) *Settlement {
	s := c.withCopy(d, c.park(d, monitoring.ReasonCrashed, errCrashed, ""), now)
	return &s
}

// quarantine is what a session does about its quarantine queue.
type quarantine struct {
	doubt   atomic.Bool // there may be messages in it
	turn    bool        // it is this session's; see turns
	since   time.Time   // that it is
	inHand  atomic.Bool // one of them is not settled
	running atomic.Bool // its handler runs
	look    *time.Timer
	due     atomic.Bool // it is time to look
}

// turns lets the consumers of this process handle such messages one after the other: of two at once, one could be blamed
// for what the other does.
var turns atomic.Pointer[session]

// How often a session looks for what other processes have set aside and left, and for its turn.
const (
	lookEvery = 10 * time.Second
	turnEvery = 200 * time.Millisecond
)

// calmWait is the longest that others are kept from starting until what runs has ended. Handlers that take longer are
// rare, and a queue that stands still for hours is worse than a wrong suspicion.
const calmWait = 90 * time.Second

// visit takes a message from the quarantine queue, if there may be one and nothing else runs, as the next to be handled.
// It says whether nothing else may start.
func (s *session) visit() (hold bool, err error) {
	c, q := s.consumer, &s.quarantine
	switch {
	case q.inHand.Load():
		if q.turn && !c.busy() { // it is stuck, or only its copy is on its way
			q.turn = false
			turns.CompareAndSwap(s, nil)
		}
		return q.running.Load() || c.blocked.Load() == 0, nil
	case !q.doubt.Load():
		s.rest()
		return false, nil
	case !q.turn && !turns.CompareAndSwap(nil, s):
		q.look.Reset(turnEvery)
		return false, nil
	}
	if !q.turn {
		q.turn, q.since = true, time.Now()
	}
	c.slow.Store(true) // until rest
	c.calm.Store(true) // before the question, so that who ends after it pokes
	if left := calmWait - time.Since(q.since); c.busy() && left > 0 {
		q.look.Reset(left)
		return true, nil
	}
	c.calm.Store(false)
	d, ok, err := s.takeAlone()
	if err != nil {
		return true, err
	}
	if !ok {
		q.doubt.Store(false)
		s.rest()
		return false, nil
	}
	q.since = time.Now()
	d.alone = true
	q.inHand.Store(true)
	q.running.Store(true)
	if s.head != nil {
		s.backlog = append([]*received{s.head}, s.backlog...)
	}
	s.head = d
	return true, nil
}

// takeAlone is basic.get on the quarantine queue.
func (s *session) takeAlone() (*received, bool, error) {
	type answer struct {
		d  amqp.Delivery
		ok bool
	}
	got := make(chan answer, 1)
	err := s.link.Do(s.consumer.hard, "take a message from quarantine", func() error {
		d, ok, err := s.ch.Get(s.consumer.topology.Quarantine().Queue, false)
		got <- answer{d, ok}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	a := <-got
	if !a.ok {
		return nil, false, nil
	}
	d := s.consumer.decode(a.d)
	d.session = s
	s.open.Add(1)
	return d, true, nil
}

// rest goes on with the main queue, and lets the other consumers of this process have their turn.
func (s *session) rest() {
	if !s.consumer.slow.Load() {
		return
	}
	s.quarantine.turn = false
	turns.CompareAndSwap(s, nil)
	s.consumer.slow.Store(false)
	s.consumer.calm.Store(false)
}

// endTurn is called when the session is over and when a handler ends after that: the turn lasts as long as both.
func (s *session) endTurn() {
	if s.ctx.Err() != nil && !s.quarantine.running.Load() {
		turns.CompareAndSwap(s, nil)
	}
}

// lookForOthers asks the broker, on a channel of its own, since a refusal closes it, whether there are messages that
// processes which are no more have set aside.
func (s *session) lookForOthers() {
	c, q := s.consumer, &s.quarantine
	q.look.Reset(lookEvery)
	if q.doubt.Load() || s.want() == off {
		return
	}
	waiting := 0
	ch, err := s.link.Channel(c.connecting)
	if err != nil {
		return // the session's own end will say why
	}
	answered := make(chan int, 1)
	err = s.link.Do(c.connecting, "look into quarantine", func() error {
		found, err := ch.QueueDeclarePassive(c.topology.Quarantine().Queue, true, false, false, false, nil)
		answered <- found.Messages
		return err
	})
	if err == nil {
		waiting = <-answered
	} else if !c.busy() { // somebody who may only consume; see for ourselves, when that holds up nobody
		waiting = 1
	}
	if !ch.IsClosed() {
		_ = s.link.Do(context.Background(), "close a channel", ch.Close)
	}
	q.doubt.Store(waiting > 0)
}

// fits says whether the copy can be read again on its way out of the queue that it goes to.
func fits(s Settlement) bool {
	return s.Copy.PropertiesSize() <= sending.MaxProperties-roomAt(s.to) && len(s.Copy.Headers) <= maxHeaders
}
