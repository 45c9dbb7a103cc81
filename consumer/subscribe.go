package consumer

import (
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// mode is how much a session takes from its queue.
type mode int

const (
	off   mode = iota // no subscription
	slow              // prefetch 1
	full              // the Spec's prefetch
	eager             // more than that, see pace
)

// want is the mode that the session should be in.
func (s *session) want() mode {
	c := s.consumer
	switch {
	case c.stopping.Load() || c.paused.Load() || c.wedged():
		return off
	case c.apart.Load() && (c.spec.SingleActive || time.Since(s.began) < calmAfter):
		return slow
	case c.pace.eager.Load() && !c.apart.Load():
		return eager
	}
	return full
}

// calmAfter is how long a session on a connection of its own must last until it takes more than one message ahead: one that
// the client cannot read would come back with all of them, and each time counts.
const calmAfter = 3 * time.Second

// adjust brings the session into the mode that it should be in, or waits for what has to
// come first; then something pokes.
func (s *session) adjust() error {
	want := s.want()
	s.waiting.Store(want == off)
	switch {
	case want == off:
		return s.yield()
	case want == s.mode:
		return nil
	}
	if s.mode != off {
		before := s.mode
		rest, err := s.unsubscribe()
		if err != nil {
			return err
		}
		s.backlog = append(s.backlog, rest...)
		if before == eager && want != eager {
			s.backlogUntil = time.Now().Add(backlogMayLast)
			time.AfterFunc(backlogMayLast, s.consumer.poke)
		}
	}
	limit := int64(max(s.consumer.pace.prefetch(want), s.consumer.spec.Prefetch))
	if s.open.Load() >= limit {
		// The prefetch bounds each subscription by itself. What earlier ones left unsettled, such as
		// copies that cannot be placed, must not grow with every new one.
		s.waiting.Store(true)
		s.shed()
		if s.open.Load() >= limit {
			return nil
		}
	}
	return s.subscribe(want)
}

// shed gives back what was taken when handlers were fast, if those that are slow now do not come to it.
func (s *session) shed() {
	if len(s.backlog) == 0 || s.backlogUntil.IsZero() || time.Now().Before(s.backlogUntil) {
		return
	}
	s.consumer.log.Info("handlers have become slow, messages that were taken ahead go back to the queue", "messages", len(s.backlog))
	s.giveBack(s.backlog...)
	s.backlog, s.backlogUntil = nil, time.Time{}
}

// yield ends the subscription and gives back what has not started, in the queue's order.
//
// A single active consumer must not do that: another would become active while ours still works on
// earlier messages. It lets them end, and then closes the channel: the queue has the rest back
// as it was, in order.
func (s *session) yield() error {
	c := s.consumer
	if c.paused.Load() {
		c.tell(nil) // Start need not wait for a subscription that is not wanted
	}
	if s.mode != off && c.spec.SingleActive {
		notStarted := int64(len(s.backlog))
		if s.head != nil {
			notStarted++
		}
		if s.open.Load() > notStarted {
			return nil
		}
		return errYield
	}
	if s.head != nil && s.head.alone {
		return nil // to give it back would count; it is handled first
	}
	s.rest()
	var all []*received
	if s.head != nil {
		all = append(all, s.head)
	}
	all = append(all, s.backlog...)
	s.head, s.backlog = nil, nil
	if s.mode != off {
		rest, err := s.unsubscribe()
		if err != nil {
			return err
		}
		all = append(all, rest...)
	}
	s.giveBack(all...)
	c.setReady(false)
	return nil
}

// subscribe starts taking messages, with a new tag.
func (s *session) subscribe(m mode) error {
	c := s.consumer
	prefetch := c.pace.prefetch(m)
	s.acker.gather(prefetch, c.spec.Concurrency)
	s.tags++
	if s.tag = c.id + "-" + strconv.Itoa(s.tags); len(c.spec.Name)+1+len(s.tag) <= 255 {
		s.tag = c.spec.Name + "-" + s.tag
	}
	var args amqp.Table
	if c.spec.Priority != 0 {
		args = amqp.Table{"x-priority": int32(c.spec.Priority)}
	}
	subscribed := make(chan (<-chan amqp.Delivery), 1)
	tag := s.tag
	err := s.link.Do(c.hard, "subscribe", func() error {
		if err := s.ch.Qos(prefetch, 0, false); err != nil {
			return err
		}
		deliveries, err := s.ch.Consume(c.spec.Queue, tag, false, false, false, false, args)
		if err == nil {
			subscribed <- deliveries
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("consume from queue %q: %w", c.spec.Queue, err)
	}
	s.deliveries, s.mode, s.backlogUntil = <-subscribed, m, time.Time{}
	c.prefetch.Store(int64(prefetch))
	c.setReady(true)
	return nil
}

// unsubscribe ends the subscription and returns what was delivered and not yet taken.
func (s *session) unsubscribe() ([]*received, error) {
	if s.deliveries == nil {
		select {
		case _, ok := <-s.canceled:
			return nil, s.over(ok)
		case e := <-s.closed:
			return nil, s.ended(e)
		case <-s.consumer.hard.Done():
			return nil, errSessionOver
		}
	}
	_ = s.acker.flush() // if that fails the channel has ended, and so says the cancel
	tag, deliveries := s.tag, s.deliveries
	left := make(chan []*received, 1)
	go func() { // Cancel waits for the client to hand over what it has
		var rest []*received
		for raw := range deliveries {
			d := s.consumer.decode(raw)
			d.session = s
			rest = append(rest, d)
		}
		left <- rest
	}()
	if err := s.link.Do(s.consumer.hard, "cancel the subscription", func() error { return s.ch.Cancel(tag, false) }); err != nil {
		return nil, err
	}
	rest := <-left
	s.open.Add(int64(len(rest)))
	s.deliveries, s.mode = nil, off
	return rest, nil
}
