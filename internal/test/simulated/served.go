package simulated

import (
	"maps"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// served is a channel, as the broker sees it.
type served struct {
	session *session
	client  *channel
	opened  bool
	closed  bool

	prefetch   int // for subscriptions to come
	tags       uint64
	unacked    []*unacked // in the order of their tags
	consumers  map[string]*subscription
	used       map[string]*subscription // by tag, in its life
	confirming bool
	held       []frame // what has arrived during a HoldChannel, whose own frame is the first; nil if there is none
}

// unacked is a delivery.
type unacked struct {
	tag     uint64
	message *message
	queue   *queue
	to      *subscription
}

// send sends a frame to the client's side of the channel, unless that has ended.
func (s *served) send(f frame) {
	act := f.act
	f.act = func(fault Fault) {
		if !s.client.closed {
			act(fault)
		}
	}
	s.session.send(f)
}

// fail closes the channel over what the client did.
func (s *served) fail(why *amqp.Error) {
	s.end("its channel was closed")
	s.send(frame{kind: "closed", act: func(Fault) { s.client.end(why) }})
}

// hold keeps a frame, and all that come after it, for d. The broker's process of the channel waits
// for something.
func (s *served) hold(f frame, d time.Duration) {
	s.held = []frame{f}
	s.session.broker.after(d, func() {
		all := s.held
		s.held = nil
		for _, f := range all {
			f.act(Fault{})
		}
	})
}

// end gives back what is unacked, in its order.
func (s *served) end(why string) {
	if s.closed {
		return
	}
	s.closed = true
	s.session.served = slices.DeleteFunc(s.session.served, func(o *served) bool { return o == s })
	for _, sub := range s.consumers {
		s.drop(sub)
	}
	held := s.unacked
	s.unacked = nil
	for _, d := range held {
		d.queue.unacked--
		d.queue.requeue(d.message, s, why)
	}
	for _, d := range held {
		d.queue.dispatch()
	}
	for _, sub := range s.consumers { // another may be the active one now
		sub.queue.dispatch()
	}
}

func (s *served) drop(sub *subscription) {
	q := sub.queue
	q.subscriptions = slices.DeleteFunc(q.subscriptions, func(o *subscription) bool { return o == sub })
}

func (s *served) note(e Event) {
	e.Process, e.Channel = s.session.link.process.name, s.client.number
	s.session.broker.note(e)
}

// consume is basic.consume.
func (s *served) consume(name, tag string) *amqp.Error {
	b := s.session.broker
	q := b.queues[name]
	if q == nil {
		return noQueue(name)
	}
	sub := s.used[tag]
	if sub != nil {
		s.note(Event{Kind: Violation, Text: "a consumer tag is used again on its channel: " + tag})
	}
	if sub == nil || sub.queue != q {
		sub = &subscription{tag: tag, on: s, queue: q}
	} else if b.Version == RabbitMQ3 && sub.unacked > 0 { // the real one, at the latest when it has to reckon with them
		s.session.refuse(refusal(541, "INTERNAL_ERROR"))
		return nil
	}
	sub.prefetch = s.prefetch
	s.consumers[tag], s.used[tag] = sub, sub
	q.subscriptions = append(q.subscriptions, sub)
	s.note(Event{Kind: Subscribed, Tag: uint64(s.prefetch), Queue: name, Text: tag})
	return nil
}

// cancel is basic.cancel: what is unacked stays with the channel.
func (s *served) cancel(tag string) {
	if sub := s.consumers[tag]; sub != nil {
		delete(s.consumers, tag)
		s.drop(sub)
		s.note(Event{Kind: Cancelled, Queue: sub.queue.name, Text: tag})
		sub.queue.dispatch()
	}
}

// cancelled tells the client that its queue is no more.
func (s *served) cancelled(sub *subscription) {
	delete(s.consumers, sub.tag)
	s.note(Event{Kind: Cancelled, Queue: sub.queue.name, Text: sub.tag + ": the queue was deleted"})
	s.send(frame{kind: "cancelled", queue: sub.queue.name, act: func(Fault) { s.client.cancelled(sub.tag) }})
}

// deliver is basic.deliver.
func (s *served) deliver(sub *subscription, m *message) {
	d := s.hand(sub, m)
	d.ConsumerTag = sub.tag
	s.send(frame{kind: "deliver", queue: sub.queue.name, message: m.MessageId, act: func(Fault) { s.client.deliver(d, sub.queue.name) }})
}

// get is basic.get.
func (s *served) get(name string) (amqp.Delivery, bool, *amqp.Error) {
	q := s.session.broker.queues[name]
	if q == nil {
		return amqp.Delivery{}, false, noQueue(name)
	}
	m := q.take()
	if m == nil {
		return amqp.Delivery{}, false, nil
	}
	return s.hand(&subscription{on: s, queue: q}, m), true, nil
}

// hand gives a message its delivery tag.
func (s *served) hand(to *subscription, m *message) amqp.Delivery {
	s.tags++
	s.unacked = append(s.unacked, &unacked{s.tags, m, to.queue, to})
	to.unacked++
	to.queue.unacked++
	d := m.delivery()
	d.DeliveryTag = s.tags
	if s.session.broker.Mark {
		if d.Headers == nil {
			d.Headers = amqp.Table{}
		}
		d.Headers[MarkHeader] = Mark(s.client.number, s.tags)
	}
	return d
}

// delivery is a message as it goes out.
func (m *message) delivery() amqp.Delivery {
	d := amqp.Delivery{
		Headers: maps.Clone(m.Headers), ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, DeliveryMode: m.DeliveryMode,
		Priority: m.Priority, CorrelationId: m.CorrelationId, ReplyTo: m.ReplyTo, Expiration: m.Expiration, MessageId: m.MessageId,
		Timestamp: m.Timestamp, Type: m.Type, UserId: m.UserId, AppId: m.AppId, Exchange: m.exchange, RoutingKey: m.key,
		Body: m.Body, Redelivered: m.back > 0,
	}
	if m.back > 0 && d.Headers == nil {
		d.Headers = amqp.Table{}
	}
	if m.count > 0 {
		d.Headers["x-delivery-count"] = m.count
	}
	return d
}

// settle is basic.ack, basic.nack and basic.reject. back is why what is not acked is requeued;
// empty is that it is not.
func (s *served) settle(tag uint64, multiple, ack bool, back string) {
	if s.closed {
		return
	}
	known := multiple && tag == 0
	var settled []*unacked
	s.unacked = slices.DeleteFunc(s.unacked, func(d *unacked) bool {
		is := d.tag == tag || multiple && (d.tag < tag || tag == 0)
		known = known || d.tag == tag
		if is {
			settled = append(settled, d)
		}
		return is
	})
	if !known {
		s.unacked = append(settled, s.unacked...)
		s.note(Event{Kind: Violation, Tag: tag, Text: "settled a delivery that is not unacked on this channel"})
		s.fail(refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - unknown delivery tag %d", tag))
		return
	}
	for _, d := range settled {
		d.queue.unacked--
		d.to.unacked--
		switch {
		case ack:
			s.note(Event{Kind: Acked, Tag: d.tag, Queue: d.queue.name, Message: d.message.MessageId})
		case back != "":
			d.queue.requeue(d.message, s, back)
		case !d.queue.deleted:
			d.queue.kill(d.message, rejected)
		}
	}
	for _, d := range settled {
		d.queue.dispatch()
	}
}

// publish is basic.publish. The broker looks at a message as it comes, and confirms it when it is
// in its queues.
func (s *served) publish(exchange, key string, mandatory bool, msg amqp.Publishing, c *confirmation, fault Fault) {
	if s.closed {
		return
	}
	b := s.session.broker
	if why := b.refuses(msg); why != nil {
		s.fail(why)
		return
	}
	to, there := b.route(exchange, key)
	if !there {
		s.fail(noExchange(exchange))
		return
	}
	if fault.Kind == Unroutable {
		to = nil
	}
	taken := fault.Kind != Nack && !slices.ContainsFunc(to, (*queue).full)
	if len(to) == 0 && mandatory {
		s.send(frame{kind: "return", queue: key, message: msg.MessageId, act: func(Fault) { s.client.returned(exchange, key, msg) }})
	}
	if taken {
		for _, q := range to {
			q.push(&message{Publishing: msg, exchange: exchange, key: key})
		}
	}
	s.confirm(msg.MessageId, c, taken, taken && len(to) > 0, fault)
	if b.alarm != nil && s.session.throttled == nil { // it was taken, and is the last for now
		s.session.throttled = b.alarm
		s.session.send(frame{kind: "blocked", act: func(Fault) { s.session.setBlocked(true) }})
	}
}

// refuses returns why a message is refused for what is in it, or nil.
func (b *Broker) refuses(msg amqp.Publishing) *amqp.Error {
	switch {
	case msg.UserId != "" && msg.UserId != user:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - user_id property set to '%s' but authenticated user was '%s'", msg.UserId, user)
	case b.largest > 0 && len(msg.Body) > b.largest:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - message size %d is larger than configured max size %d", len(msg.Body), b.largest)
	}
	return nil
}

// confirm tells what became of a message, in its time.
func (s *served) confirm(id string, c *confirmation, taken, routed bool, fault Fault) {
	if !s.confirming || fault.Kind == NoConfirm {
		return
	}
	late := time.Duration(0)
	if fault.Kind == LateConfirm {
		late = fault.For
	}
	s.session.broker.after(late, func() {
		if !s.closed {
			s.send(frame{kind: "confirm", message: id, act: func(Fault) { s.client.confirm(c, taken, routed) }})
		}
	})
}
