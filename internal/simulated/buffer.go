package simulated

import amqp "github.com/rabbitmq/amqp091-go"

// buffer holds a subscription's deliveries until they are taken. Nothing bounds it but the
// prefetch. After a cancel it hands on what it has; at the end of the channel it drops that.
type buffer struct {
	channel *channel
	out     chan amqp.Delivery
	more    chan struct{}

	queue    []amqp.Delivery // guarded by the broker's lock
	finished bool
}

func (b *buffer) add(d amqp.Delivery) {
	b.queue = append(b.queue, d)
	b.wake()
}

func (b *buffer) finish() {
	b.finished = true
	b.wake()
}

func (b *buffer) wake() {
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// take is the next delivery.
func (b *buffer) take() (d amqp.Delivery, ok, finished bool) {
	defer b.channel.lock()()
	if len(b.queue) == 0 {
		return d, false, b.finished
	}
	d, b.queue = b.queue[0], b.queue[1:]
	return d, true, false
}

// handOn is a goroutine that ends with the subscription.
func (b *buffer) handOn() {
	defer close(b.out)
	for {
		d, ok, finished := b.take()
		switch {
		case finished:
			return
		case ok:
			select {
			case b.out <- d:
			case <-b.channel.over:
				return
			}
		default:
			select {
			case <-b.more:
			case <-b.channel.over:
				return
			}
		}
	}
}
