package simulated

import (
	"bytes"
	"maps"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// channel is a channel, as the client sees it.
type channel struct {
	number  int
	session *session
	served  *served
	over    chan struct{} // closed at its end

	// Guarded by the broker's lock.
	asking      int // requests that wait for their answer
	closed      bool
	cause       *amqp.Error // why, nil for our own Close
	buffers     map[string]*buffer
	unconfirmed []*confirmation // in the order of their publishes
	closes      []chan *amqp.Error
	cancels     []chan string
	returns     []chan amqp.Return
	confirming  bool
	// the request that waits for its answer
}

var _ transport.Channel = (*channel)(nil)

func newChannel(s *session, number int) *channel {
	ch := &channel{number: number, session: s, over: make(chan struct{}), buffers: map[string]*buffer{}}
	ch.served = &served{session: s, client: ch, consumers: map[string]*subscription{}, used: map[string]*subscription{}}
	return ch
}

// lock is the broker's.
func (c *channel) lock() (unlock func()) {
	c.session.broker.mu.Lock()
	return c.session.broker.mu.Unlock
}

func (c *channel) note(e Event) {
	e.Process, e.Channel = c.session.link.process.name, c.number
	c.session.broker.note(e)
}

// call asks something of the broker and waits for its answer. There ask says yes, or why the
// channel is closed over it; at the client answered comes with the answer, in its place among all
// that the broker sends.
func (c *channel) call(kind, queue string, ask func() *amqp.Error, answered func()) error {
	if !c.begin(kind) {
		return amqp.ErrClosed
	}
	defer c.finish()
	done := make(chan struct{})
	err := c.session.write(frame{kind: kind, queue: queue, on: c.served, act: func(Fault) {
		if c.served.closed {
			return
		}
		if why := ask(); why != nil {
			c.served.fail(why)
			return
		}
		if c.served.closed && kind != "close" { // with the whole connection
			return
		}
		c.served.send(frame{kind: "reply", queue: queue, act: func(Fault) {
			if answered != nil {
				answered()
			}
			close(done)
		}})
		for _, sub := range c.served.consumers { // behind the answer to its basic.consume
			sub.queue.dispatch()
		}
	}})
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-c.over:
	}
	defer c.lock()()
	select {
	case <-done: // by our own Close, say
		return nil
	default:
	}
	if c.cause == nil {
		return amqp.ErrClosed
	}
	return c.cause
}

// begin is false if the channel is closed. The client library takes no lock for requests: two at
// once can swap their answers.
func (c *channel) begin(kind string) bool {
	defer c.lock()()
	if c.closed {
		return false
	}
	if c.asking++; c.asking > 1 {
		c.note(Event{Kind: Violation, Text: kind + " while another request waits for its answer"})
	}
	return true
}

func (c *channel) finish() {
	defer c.lock()()
	c.asking--
}

// end is the channel's, for whatever reason.
func (c *channel) end(cause *amqp.Error) {
	if c.closed {
		return
	}
	c.closed, c.cause = true, cause
	text := "closed by its client"
	if cause != nil {
		text = cause.Error()
	}
	c.note(Event{Kind: Ended, Text: text})
	for _, l := range c.closes {
		if cause != nil {
			notify(c, l, cause)
		}
	}
	for _, l := range c.closes {
		close(l)
	}
	for _, l := range c.returns {
		close(l)
	}
	for _, l := range c.cancels {
		close(l)
	}
	for _, p := range c.unconfirmed {
		close(p.done)
	}
	c.unconfirmed = nil
	c.session.channels = slices.DeleteFunc(c.session.channels, func(o *channel) bool { return o == c })
	close(c.over)
}

// notify tells a listener. The client library waits up to 5 s for room and then drops the notice;
// who has none is wrong.
func notify[T any](c *channel, listener chan T, v T) {
	select {
	case listener <- v:
	default:
		c.note(Event{Kind: Violation, Text: "a listener had no room for a notice"})
	}
}

// NotifyClose, NotifyCancel and NotifyReturn are the client library's: the channel given is closed
// at the end.
func (c *channel) NotifyClose(l chan *amqp.Error) chan *amqp.Error {
	defer c.lock()()
	if c.closed {
		close(l)
	} else {
		c.closes = append(c.closes, l)
	}
	return l
}

func (c *channel) NotifyCancel(l chan string) chan string {
	defer c.lock()()
	if c.closed {
		close(l)
	} else {
		c.cancels = append(c.cancels, l)
	}
	return l
}

func (c *channel) NotifyReturn(l chan amqp.Return) chan amqp.Return {
	defer c.lock()()
	if c.closed {
		close(l)
	} else {
		c.returns = append(c.returns, l)
	}
	return l
}

func (c *channel) IsClosed() bool {
	defer c.lock()()
	return c.closed
}

func (c *channel) Close() error {
	if c.IsClosed() {
		return nil
	}
	return c.call("close", "", func() *amqp.Error {
		c.served.end("its channel was closed")
		return nil
	}, func() { c.end(nil) })
}

func (c *channel) ExchangeDeclare(name, kind string, _, _, _, _ bool, _ amqp.Table) error {
	return c.call("declare", name, func() *amqp.Error {
		if kind != amqp.ExchangeDirect {
			return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - the simulation has direct exchanges only, not '%s'", kind)
		}
		if b := c.session.broker; b.exchanges[name] == nil {
			b.exchanges[name] = []binding{}
		}
		return nil
	}, nil)
}

func (c *channel) ExchangeDeclarePassive(name, _ string, _, _, _, _ bool, _ amqp.Table) error {
	return c.call("declare", name, func() *amqp.Error {
		if c.session.broker.exchanges[name] == nil {
			return noExchange(name)
		}
		return nil
	}, nil)
}

// QueueDelete deletes whatever the conditions.
func (c *channel) QueueDelete(name string, _, _, _ bool) (int, error) {
	var n int
	err := c.call("delete", name, func() *amqp.Error {
		if q := c.session.broker.queues[name]; q != nil {
			n = len(q.returned) + len(q.ready)
			c.session.broker.delete(name)
		}
		return nil
	}, nil)
	if err != nil { // the broker may yet come to it
		return 0, err
	}
	return n, nil
}

func (c *channel) QueueDeclare(name string, _, _, _, _ bool, args amqp.Table) (amqp.Queue, error) {
	return amqp.Queue{Name: name}, c.call("declare", name, func() *amqp.Error { return c.session.broker.declare(name, args) }, nil)
}

func (c *channel) QueueDeclarePassive(name string, _, _, _, _ bool, _ amqp.Table) (amqp.Queue, error) {
	var depth int
	err := c.call("declare", name, func() *amqp.Error {
		q := c.session.broker.queues[name]
		if q == nil {
			return noQueue(name)
		}
		depth = len(q.returned) + len(q.ready)
		return nil
	}, nil)
	if err != nil { // the broker may yet come to it
		return amqp.Queue{}, err
	}
	return amqp.Queue{Name: name, Messages: depth}, nil
}

func (c *channel) QueueBind(name, key, exchange string, _ bool, _ amqp.Table) error {
	return c.call("bind", name, func() *amqp.Error {
		b := c.session.broker
		switch {
		case b.queues[name] == nil:
			return noQueue(name)
		case b.exchanges[exchange] == nil:
			return noExchange(exchange)
		}
		if bind := (binding{key, name}); !slices.Contains(b.exchanges[exchange], bind) {
			b.exchanges[exchange] = append(b.exchanges[exchange], bind)
		}
		return nil
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

func (c *channel) Consume(queue, tag string, _, _, _, _ bool, _ amqp.Table) (<-chan amqp.Delivery, error) {
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
	err := c.call("consume", queue, func() *amqp.Error { return c.served.consume(queue, tag) }, nil)
	if err != nil {
		return nil, err
	}
	return b.out, nil
}

func (c *channel) Cancel(tag string, _ bool) error {
	return c.call("cancel", "", func() *amqp.Error {
		c.served.cancel(tag)
		return nil
	}, func() { c.forget(tag) })
}

// Get is basic.get: the next message is unacked from then on, whatever the prefetch.
func (c *channel) Get(queue string, _ bool) (amqp.Delivery, bool, error) {
	var d amqp.Delivery
	var ok bool
	err := c.call("get", queue, func() (why *amqp.Error) {
		d, ok, why = c.served.get(queue)
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

// cancelled is the broker's basic.cancel.
func (c *channel) cancelled(tag string) {
	for _, l := range c.cancels {
		notify(c, l, tag)
	}
	c.forget(tag)
}

// forget ends a subscription's deliveries, when those that have come are taken.
func (c *channel) forget(tag string) {
	if b := c.buffers[tag]; b != nil {
		delete(c.buffers, tag)
		b.finish()
	}
}

func (c *channel) deliver(d amqp.Delivery, queue string) {
	c.note(Event{Kind: Delivered, Tag: d.DeliveryTag, Queue: queue, Message: d.MessageId})
	if b := c.buffers[d.ConsumerTag]; b != nil {
		b.add(d)
	}
}

func (c *channel) Ack(tag uint64, multiple bool) error { return c.settle(Acking, tag, multiple, "") }

func (c *channel) Nack(tag uint64, multiple, requeue bool) error {
	return c.settle(Nacking, tag, multiple, back(requeue, nacked))
}

// Reject differs from Nack by what it counts; see [RabbitMQ43].
func (c *channel) Reject(tag uint64, requeue bool) error {
	return c.settle(Nacking, tag, false, back(requeue, rejected))
}

func back(requeue bool, why string) string {
	if requeue {
		return why
	}
	return ""
}

func (c *channel) settle(kind EventKind, tag uint64, multiple bool, back string) error {
	unlock := c.lock()
	if c.closed {
		unlock()
		return amqp.ErrClosed
	}
	c.note(Event{Kind: kind, Tag: tag, Multiple: multiple, OK: back != ""})
	unlock()
	name := "ack"
	if kind == Nacking {
		name = "nack"
	}
	return c.session.write(frame{kind: name, on: c.served, act: func(Fault) { c.served.settle(tag, multiple, kind == Acking, back) }})
}

func (c *channel) Confirm(bool) error {
	return c.call("confirm.select", "", func() *amqp.Error {
		c.served.confirming = true
		return nil
	}, func() { c.confirming = true })
}

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
	msg.Headers, msg.Body = maps.Clone(msg.Headers), bytes.Clone(msg.Body)
	if !msg.Timestamp.IsZero() {
		msg.Timestamp = msg.Timestamp.Truncate(time.Second)
	}
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
