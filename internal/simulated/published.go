package simulated

import (
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publish is basic.publish. The broker looks at a message as it comes, and confirms it when it is
// in its queues.
func (s *served) publish(exchange, key string, mandatory bool, msg amqp.Publishing, c *confirmation, fault Fault) {
	if s.closed {
		return
	}
	b := s.session.broker
	to, why := s.routes(exchange, key, &msg)
	if why != nil {
		s.fail(why)
		return
	}
	if fault.Kind == Unroutable {
		to = nil
	}
	taken := fault.Kind != Nack && !slices.ContainsFunc(to, (*queue).full)
	isAnswer, known := b.answer(exchange, key, msg)
	if len(to) == 0 && mandatory && !(isAnswer && known) {
		s.send(frame{kind: "return", queue: key, message: msg.MessageId, act: func(Fault) { s.client.returned(exchange, key, msg) }})
	}
	if taken {
		for _, q := range to {
			q.push(&message{Publishing: msg, exchange: exchange, key: key})
		}
	}
	s.confirm(msg.MessageId, c, taken, taken && (len(to) > 0 || isAnswer && known), fault)
	s.session.throttle()
}

// throttle takes no more messages while there is an alarm: the one that was taken is the last for
// now.
func (s *session) throttle() {
	if b := s.broker; b.alarm != nil && s.throttled == nil {
		s.throttled = b.alarm
		s.send(frame{kind: "blocked", act: func(Fault) { s.setBlocked(true) }})
	}
}

// routes returns the queues for a message, or why the channel ends over it.
func (s *served) routes(exchange, key string, msg *amqp.Publishing) ([]*queue, *amqp.Error) {
	b := s.session.broker
	if why := b.refuses(*msg); why != nil {
		return nil, why
	}
	if why := s.asks(msg); why != nil {
		return nil, why
	}
	to, there := b.route(exchange, key, msg.Headers)
	if !there {
		return nil, noExchange(exchange)
	}
	if x := b.exchanges[exchange]; x != nil && x.internal {
		return nil, refusal(amqp.AccessRefused, "ACCESS_REFUSED - cannot publish to internal exchange '%s' in vhost '/'", exchange)
	}
	return to, nil
}

// refuses returns why a message is refused for what is in it, or nil.
func (b *Broker) refuses(msg amqp.Publishing) *amqp.Error {
	switch {
	case msg.UserId != "" && msg.UserId != user:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - user_id property set to '%s' but authenticated user was '%s'", msg.UserId, user)
	case !isExpiration(msg.Expiration):
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid expiration '%s'", msg.Expiration)
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
