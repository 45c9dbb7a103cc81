package simulated

import (
	"slices"

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
