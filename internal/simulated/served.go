package simulated

import (
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
	reply      string  // where answers to it go, if it consumes them; see replies
	replyTag   string  // its consumer of them
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
	if q.autoDelete && len(q.subscriptions) == 0 {
		q.broker.delete(q.name)
	}
}

func (s *served) note(e Event) {
	e.Process, e.Channel = s.session.link.process.name, s.client.number
	s.session.broker.note(e)
}

// consume is basic.consume. as is what the subscription is to be like.
func (s *served) consume(name, tag string, as subscription, offset any) *amqp.Error {
	if name == replies {
		return s.answered(tag, as.autoAck)
	}
	b := s.session.broker
	q, why := b.find(name, s.session)
	if why != nil {
		return why
	}
	if q.stream != nil {
		return s.read(q, tag, as.autoAck, offset)
	}
	if s.consumers[tag] != nil {
		s.note(Event{Kind: Violation, Text: "a consumer tag is used twice at once on its channel: " + tag})
		s.session.refuse(refusal(amqp.NotAllowed, "NOT_ALLOWED - attempt to reuse consumer tag '%s'", tag))
		return nil
	}
	if as.exclusive = as.exclusive && !q.quorum; len(q.subscriptions) > 0 && (as.exclusive || q.subscriptions[0].exclusive) {
		return refusal(amqp.AccessRefused, "ACCESS_REFUSED - queue '%s' in vhost '/' in exclusive use", name)
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
	sub.prefetch, sub.autoAck, sub.exclusive, sub.priority = s.prefetch, as.autoAck, as.exclusive, as.priority
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
func (s *served) get(name string, autoAck bool) (amqp.Delivery, bool, *amqp.Error) {
	q, why := s.session.broker.find(name, s.session)
	if why != nil {
		return amqp.Delivery{}, false, why
	}
	if q.quorum && q.single() {
		return amqp.Delivery{}, false, refusal(amqp.ResourceLocked, "RESOURCE_LOCKED - cannot obtain access to locked queue '%s' in vhost '/'. basic.get operations are not supported by quorum queues with single active consumer", name)
	}
	if q.stream != nil {
		s.session.refuse(notImplemented("basic.get not supported by stream queues queue '%s' in vhost '/'", name))
		return amqp.Delivery{}, false, nil
	}
	m := q.take()
	if m == nil {
		return amqp.Delivery{}, false, nil
	}
	return s.hand(&subscription{on: s, queue: q, autoAck: autoAck}, m), true, nil
}

// hand gives a message its delivery tag. Who acks nothing has no unacked message.
func (s *served) hand(to *subscription, m *message) amqp.Delivery {
	s.tags++
	if !to.autoAck {
		s.unacked = append(s.unacked, &unacked{s.tags, m, to.queue, to})
		to.unacked++
		to.queue.unacked++
	}
	d := to.queue.delivery(m)
	d.DeliveryTag = s.tags
	if s.session.broker.Mark {
		if d.Headers == nil {
			d.Headers = amqp.Table{}
		}
		d.Headers[MarkHeader] = Mark(s.client.number, s.tags)
	}
	return d
}

// delivery is a message as it goes out. Those of a stream have their offset.
func (q *queue) delivery(m *message) amqp.Delivery {
	d := m.delivery(q.quorum, q.broker.Version)
	if q.stream != nil {
		if d.Headers == nil {
			d.Headers = amqp.Table{}
		}
		d.Headers[offsetHeader] = int64(m.number)
	}
	return d
}

// delivery is a message as it goes out. Quorum queues count how often it came back.
func (m *message) delivery(counted bool, version Version) amqp.Delivery {
	d := amqp.Delivery{
		Headers: headersRead(m.Headers), ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, DeliveryMode: m.DeliveryMode,
		Priority: m.Priority, CorrelationId: m.CorrelationId, ReplyTo: m.ReplyTo, Expiration: m.Expiration, MessageId: m.MessageId,
		Timestamp: m.Timestamp, Type: m.Type, UserId: m.UserId, AppId: m.AppId, Exchange: m.exchange, RoutingKey: m.key,
		Body: bodyRead(m.Body), Redelivered: m.back > 0,
	}
	if m.back > 0 && d.Headers == nil {
		d.Headers = amqp.Table{}
	}
	if counted && m.count > 0 {
		d.Headers["x-delivery-count"] = m.count
	}
	if counted && m.back > 0 && version == RabbitMQ43 {
		d.Headers["x-acquired-count"] = m.back
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
		s.settled(d, ack, back)
	}
	for _, d := range settled {
		d.queue.dispatch()
	}
}

// settled does with one delivery what was said of it.
func (s *served) settled(d *unacked, ack bool, back string) {
	switch {
	case d.queue.stream != nil && !ack && s.session.broker.Version == RabbitMQ3:
		s.session.refuse(notImplemented("basic.nack and basic.reject not supported by stream queues queue '%s' in vhost '/'", d.queue.name))
	case d.queue.stream != nil: // to nack is to ack
	case ack:
		s.note(Event{Kind: Acked, Tag: d.tag, Queue: d.queue.name, Message: d.message.MessageId})
	case back != "":
		d.queue.requeue(d.message, s, back)
	case !d.queue.deleted:
		d.queue.kill(d.message, rejected)
	}
}
