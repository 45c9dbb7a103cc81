package simulated

import (
	"fmt"
	"reflect"

	amqp "github.com/rabbitmq/amqp091-go"
)

// These are the requests of a channel. Each waits for its answer.

// ExchangeDeclare takes the types that a broker has without plugins.
func (c *channel) ExchangeDeclare(name, kind string, durable, autoDelete, internal, _ bool, args amqp.Table) error {
	return c.call("declare", name, func() *amqp.Error {
		return c.session.broker.declareExchange(name, exchange{kind: kind, durable: durable, autoDelete: autoDelete, internal: internal}, args, c.session)
	}, nil)
}

// ExchangeDeclarePassive looks at the name only, as a broker does.
func (c *channel) ExchangeDeclarePassive(name, _ string, _, _, _, _ bool, _ amqp.Table) error {
	return c.call("declare", name, func() *amqp.Error {
		if c.session.broker.exchanges[name] == nil {
			return noExchange(name)
		}
		return nil
	}, nil)
}

// QueueDelete tells how many messages went with the queue.
func (c *channel) QueueDelete(name string, ifUnused, ifEmpty, _ bool) (int, error) {
	var n int
	err := c.call("delete", name, func() (why *amqp.Error) {
		n, why = c.session.broker.deleteQueue(name, ifUnused, ifEmpty, c.session)
		return why
	}, nil)
	if err != nil { // the broker may yet come to it
		return 0, err
	}
	return n, nil
}

// QueueDeclare makes up a name if none is given.
func (c *channel) QueueDeclare(name string, durable, autoDelete, exclusive, _ bool, args amqp.Table) (amqp.Queue, error) {
	if name == "" {
		name = c.session.broker.nextName()
	}
	return c.queue(name, func() *amqp.Error {
		return c.session.broker.declare(name, properties{durable, autoDelete, exclusive}, args, c.session)
	})
}

// QueueDeclarePassive looks at the name only, as a broker does.
func (c *channel) QueueDeclarePassive(name string, _, _, _, _ bool, _ amqp.Table) (amqp.Queue, error) {
	return c.queue(name, func() *amqp.Error { return nil })
}

// queue does something, and tells what the queue holds afterwards.
func (c *channel) queue(name string, do func() *amqp.Error) (amqp.Queue, error) {
	var found amqp.Queue
	err := c.call("declare", name, func() *amqp.Error {
		if why := do(); why != nil {
			return why
		}
		q, why := c.session.broker.find(name, c.session)
		if why == nil {
			found = amqp.Queue{Name: name, Messages: q.depth(), Consumers: q.consumers()}
		}
		return why
	}, nil)
	if err != nil { // the broker may yet come to it
		return amqp.Queue{}, err
	}
	return found, nil
}

// QueueBind does nothing if there is such a binding.
func (c *channel) QueueBind(name, key, exchange string, _ bool, args amqp.Table) error {
	return c.call("bind", name, func() *amqp.Error {
		return c.session.broker.bind(binding{key, name, plainTable(args)}, exchange, c.session)
	}, nil)
}

// Qos holds for subscriptions to come.
func (c *channel) Qos(prefetch, _ int, _ bool) error {
	return c.call("qos", "", func() *amqp.Error {
		if len(c.served.consumers) > 0 {
			c.note(Event{Kind: Violation, Text: "basic.qos does nothing to a subscription that stands"})
		}
		c.served.prefetch = prefetch
		return nil
	}, nil)
}

// Consume makes up a tag if none is given, as the client library does.
func (c *channel) Consume(queue, tag string, autoAck, exclusive, _, _ bool, args amqp.Table) (<-chan amqp.Delivery, error) {
	if tag == "" {
		tag = c.session.broker.nextTag()
	}
	unlock := c.lock()
	if c.closed {
		unlock()
		return nil, amqp.ErrClosed
	}
	b := &buffer{channel: c, out: make(chan amqp.Delivery), more: make(chan struct{}, 1)}
	if old := c.buffers[tag]; old != nil {
		old.finish()
	}
	c.buffers[tag] = b
	go b.handOn()
	unlock()
	err := c.call("consume", queue, func() *amqp.Error {
		priority, given := args["x-priority"]
		if given && reflect.TypeOf(priority).Kind() == reflect.String {
			return &amqp.Error{Code: amqp.PreconditionFailed, Reason: "PRECONDITION_FAILED - invalid arg 'x-priority'", Server: true}
		}
		first, _ := plain(priority).(int64)
		return c.served.consume(queue, tag, subscription{autoAck: autoAck, exclusive: exclusive, priority: first}, args[offsetHeader])
	}, nil)
	if err != nil {
		return nil, err
	}
	return b.out, nil
}

// Cancel keeps what is unacked.
func (c *channel) Cancel(tag string, _ bool) error {
	return c.call("cancel", "", func() *amqp.Error {
		c.served.cancel(tag)
		return nil
	}, func() { c.forget(tag) })
}

// Get is basic.get: the next message is unacked from then on, whatever the prefetch.
func (c *channel) Get(queue string, autoAck bool) (amqp.Delivery, bool, error) {
	var d amqp.Delivery
	var ok bool
	err := c.call("get", queue, func() (why *amqp.Error) {
		d, ok, why = c.served.get(queue, autoAck)
		return why
	}, func() {
		if ok {
			c.note(Event{Kind: Delivered, Tag: d.DeliveryTag, Queue: queue, Message: d.MessageId})
		}
	})
	if err != nil { // the broker may yet come to it
		return amqp.Delivery{}, false, err
	}
	return d, ok, nil
}

// Confirm turns confirms on.
func (c *channel) Confirm(bool) error {
	return c.call("confirm.select", "", func() *amqp.Error {
		c.served.confirming = true
		return nil
	}, func() { c.confirming = true })
}

// nextName is a name for a queue that its client has not named.
func (b *Broker) nextName() string { return fmt.Sprintf("%s%d", generated, b.next()) }

func (b *Broker) nextTag() string { return fmt.Sprintf("ctag-simulated-%d", b.next()) }

func (b *Broker) next() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names++
	return b.names
}
