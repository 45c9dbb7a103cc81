package simulated

import (
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// confirmation is a promise of the broker's.
type confirmation struct {
	id    string
	key   string
	of    string // the Mark on it
	done  chan struct{}
	acked bool // read it after done
}

func (p *confirmation) Done() <-chan struct{} { return p.done }

func (p *confirmation) Acked() bool {
	select {
	case <-p.done:
		return p.acked
	default:
		return false
	}
}

func (c *channel) Publish(exchange, key string, mandatory bool, msg amqp.Publishing) (transport.Confirmation, error) {
	msg = sent(msg)
	unlock := c.lock()
	if c.closed {
		unlock()
		return nil, amqp.ErrClosed
	}
	p := &confirmation{id: msg.MessageId, key: key, done: make(chan struct{})}
	p.of, _ = msg.Headers[MarkHeader].(string)
	if c.confirming {
		c.unconfirmed = append(c.unconfirmed, p)
	}
	c.note(Event{Kind: Published, Queue: key, Message: msg.MessageId, Of: p.of})
	unlock()
	err := c.session.write(frame{kind: "publish", queue: key, message: msg.MessageId, on: c.served, act: func(f Fault) {
		c.served.publish(exchange, key, mandatory, msg, p, f)
	}})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (c *channel) confirm(p *confirmation, taken, routed bool) {
	c.unconfirmed = slices.DeleteFunc(c.unconfirmed, func(o *confirmation) bool { return o == p })
	kind := Confirmed
	if !taken {
		kind = Nacked
	}
	c.note(Event{Kind: kind, Queue: p.key, Message: p.id, Of: p.of, OK: routed})
	p.acked = taken
	close(p.done)
}

func (c *channel) returned(exchange, key string, msg amqp.Publishing) {
	msg = sent(msg) // the queues of others may have it
	r := amqp.Return{
		ReplyCode: amqp.NoRoute, ReplyText: "NO_ROUTE", Exchange: exchange, RoutingKey: key,
		ContentType: msg.ContentType, ContentEncoding: msg.ContentEncoding, Headers: msg.Headers, DeliveryMode: msg.DeliveryMode,
		Priority: msg.Priority, CorrelationId: msg.CorrelationId, ReplyTo: msg.ReplyTo, Expiration: msg.Expiration,
		MessageId: msg.MessageId, Timestamp: msg.Timestamp, Type: msg.Type, UserId: msg.UserId, AppId: msg.AppId, Body: msg.Body,
	}
	c.note(Event{Kind: Returned, Queue: key, Message: msg.MessageId})
	for _, l := range c.returns {
		notify(c, l, r)
	}
}
