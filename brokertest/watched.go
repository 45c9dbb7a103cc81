package brokertest

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// A broker does not tell by AMQP which queues there are, and how many messages are unacked. So the
// channels of the test's processes are watched, on a real broker. These types pass on all else.
type (
	watched struct {
		transport.Connection
		site *realSite
	}
	watchedLink struct {
		transport.Link
		site *realSite
	}
	watchedSession struct { // comparable, as a session is
		transport.Session
		site *realSite
	}
)

func (w watched) Publishing() transport.Link { return watchedLink{w.Connection.Publishing(), w.site} }
func (w watched) Consuming() transport.Link  { return watchedLink{w.Connection.Consuming(), w.site} }
func (w watched) Dedicated(purpose string) transport.Link {
	return watchedLink{w.Connection.Dedicated(purpose), w.site}
}
func (w watched) ConsumingAlone(purpose string) transport.Link {
	return watchedLink{w.Connection.ConsumingAlone(purpose), w.site}
}

func (w watched) Reading(purpose string) transport.Link {
	return watchedLink{w.Connection.Reading(purpose), w.site}
}

func (l watchedLink) Session(ctx context.Context) (transport.Session, error) {
	s, err := l.Link.Session(ctx)
	if err != nil {
		return nil, err
	}
	return watchedSession{s, l.site}, nil
}

func (s watchedSession) Channel(ctx context.Context) (transport.Channel, error) {
	ch, err := s.Session.Channel(ctx)
	if err != nil {
		return nil, err
	}
	w := &watchedChannel{Channel: ch, site: s.site, taken: map[uint64]string{}}
	s.site.mu.Lock()
	s.site.channels = append(s.site.channels, w)
	s.site.mu.Unlock()
	return w, nil
}

// watchedChannel knows what is unacked on it, but for what is done with its Library.
type watchedChannel struct {
	transport.Channel
	site *realSite

	mu    sync.Mutex
	taken map[uint64]string // the queues of what is unacked, by their tags
}

// Library is for connection.Connection.Channel.
func (c *watchedChannel) Library() *amqp.Channel {
	if library, ok := c.Channel.(interface{ Library() *amqp.Channel }); ok {
		return library.Library()
	}
	return nil
}

func (c *watchedChannel) QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error) {
	if !exclusive { // one that is goes with its connection
		if err := c.site.declaring(name, args); err != nil {
			return amqp.Queue{}, err
		}
	}
	return c.Channel.QueueDeclare(name, durable, autoDelete, exclusive, noWait, args)
}

// QueueDeclarePassive is how a process looks at a queue that it does not declare.
func (c *watchedChannel) QueueDeclarePassive(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error) {
	found, err := c.Channel.QueueDeclarePassive(name, durable, autoDelete, exclusive, noWait, args)
	if err == nil {
		c.site.found(name)
	}
	return found, err
}

func (c *watchedChannel) Consume(queue, tag string, autoAck, exclusive, noLocal, noWait bool, args amqp.Table) (<-chan amqp.Delivery, error) {
	in, err := c.Channel.Consume(queue, tag, autoAck, exclusive, noLocal, noWait, args)
	if err != nil || autoAck {
		return in, err
	}
	out := make(chan amqp.Delivery)
	go c.handOn(queue, in, out)
	return out, nil
}

// handOn takes deliveries as they come, so that they are known to be unacked, and hands them on as
// they are wanted. Like the client library it holds as many as the prefetch lets come. It ends with
// the subscription, or, if nobody takes what is left, with the channel.
func (c *watchedChannel) handOn(queue string, in <-chan amqp.Delivery, out chan<- amqp.Delivery) {
	defer close(out)
	ended := c.NotifyClose(make(chan *amqp.Error, 1))
	var held []amqp.Delivery
	for in != nil || len(held) > 0 {
		var next amqp.Delivery
		to := out
		if len(held) == 0 {
			to = nil
		} else {
			next = held[0]
		}
		select {
		case d, ok := <-in:
			if !ok {
				in = nil
				continue
			}
			c.take(d.DeliveryTag, queue)
			held = append(held, d)
		case to <- next:
			held = held[1:]
		case <-ended: //nolint:errcheck // who reads has the reason from the channel
			return
		}
	}
}

func (c *watchedChannel) Get(queue string, autoAck bool) (amqp.Delivery, bool, error) {
	d, ok, err := c.Channel.Get(queue, autoAck)
	if ok && err == nil && !autoAck {
		c.take(d.DeliveryTag, queue)
	}
	return d, ok, err
}

func (c *watchedChannel) Ack(tag uint64, multiple bool) error {
	defer c.settled(tag, multiple)
	return c.Channel.Ack(tag, multiple)
}

func (c *watchedChannel) Nack(tag uint64, multiple, requeue bool) error {
	defer c.settled(tag, multiple)
	return c.Channel.Nack(tag, multiple, requeue)
}

func (c *watchedChannel) Reject(tag uint64, requeue bool) error {
	defer c.settled(tag, false)
	return c.Channel.Reject(tag, requeue)
}

func (c *watchedChannel) take(tag uint64, queue string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken[tag] = queue
}

func (c *watchedChannel) settled(tag uint64, multiple bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !multiple {
		delete(c.taken, tag)
		return
	}
	for one := range c.taken {
		if one <= tag || tag == 0 {
			delete(c.taken, one)
		}
	}
}

// unacked is how many messages of a queue are. At the end of the channel the broker has them back.
func (c *watchedChannel) unacked(queue string) (n int) {
	if c.IsClosed() {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range c.taken {
		if of == queue {
			n++
		}
	}
	return n
}
