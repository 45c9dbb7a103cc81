package simulated

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Version is which RabbitMQ it is like.
type Version int

const (
	// RabbitMQ3 puts what is nacked at the tail of a queue that has no limit of deliveries, and
	// ends a connection on which a consumer tag is used again while deliveries of it are unacked.
	RabbitMQ3 Version = 3
	// RabbitMQ4 does neither.
	RabbitMQ4 Version = 4
	// RabbitMQ43 is a RabbitMQ 4 in which a nack that requeues does not raise the delivery count.
	// All other ways back to the queue do, such as a reject.
	RabbitMQ43 Version = 43
)

// String is the version as a broker says it of itself.
func (v Version) String() string {
	switch v {
	case RabbitMQ3:
		return "3.10.0"
	case RabbitMQ43:
		return "4.3.0"
	}
	return "4.0.0"
}

// Options are a broker's. The zero Options are a RabbitMQ 4 without faults, whose frames take no
// time.
type Options struct {
	Version Version       // defaults to RabbitMQ4
	Latency time.Duration // of a frame, in each direction

	// Mark writes on each delivery which one it is, in the header MarkHeader. Whoever handles it
	// can tell, and a copy of it that is published shows of which delivery it is one, in its
	// events' field Of.
	Mark bool

	// Silent keeps no Journal, which else grows without end.
	Silent bool

	// Busy is how many frames arrive at one moment until they take time. A handler that publishes
	// to its own queue would else keep the time from passing for ever.
	//
	// Defaults to any number.
	Busy int

	// Faults decides what goes wrong at a Step. It is called with the broker's lock held, and must
	// not call it.
	//
	// Defaults to nothing.
	Faults func(Step) Fault
}

// MarkHeader is the header that Options.Mark is about.
const MarkHeader = "simulated-delivery"

// Mark is its value.
func Mark(channel int, tag uint64) string { return fmt.Sprintf("%d/%d", channel, tag) }

// Broker is the simulation. Make it with New, inside the bubble.
type Broker struct {
	Options

	// One lock for the broker and its clients' side. Nobody waits for anything while holding it,
	// since simulated time stands still for who waits for a lock.
	mu        sync.Mutex
	began     time.Time
	queues    map[string]*queue
	exchanges map[string]*exchange
	steps     map[string]int // so far, of each kind
	sessions  []*session     // that the broker knows, in the order of their dials
	alarm     chan struct{}  // closed at the end of the alarm; nil while there is none
	refusing  time.Time      // dials fail until then
	largest   int            // body that may be published, in bytes; 0 is any
	journal   []Event
	lost      map[string]bool // ids of messages that went with a deleted queue
	channels  int             // numbers them all
	strain    strain
	askers    int // channels that have consumed replies
	names     int // of queues and consumers that have got theirs from the broker
}

// New starts a broker.
func New(o Options) *Broker {
	if o.Version == 0 {
		o.Version = RabbitMQ4
	}
	if o.Faults == nil {
		o.Faults = func(Step) Fault { return Fault{} }
	}
	return &Broker{
		Options: o, began: time.Now(), queues: map[string]*queue{}, exchanges: standing(),
		steps: map[string]int{}, lost: map[string]bool{},
	}
}

// Depth is how many messages a queue holds: ready, unacked, and on their way to its dead-letter
// queue. They are 0 if there is no such queue.
func (b *Broker) Depth(name string) (ready, unacked, dying int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[name]; q != nil {
		return q.depth(), q.unacked, len(q.dying)
	}
	return 0, 0, 0
}

// Messages are the ready ones of a queue, in their order, as they would be delivered.
func (b *Broker) Messages(name string) []amqp.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[name]
	if q == nil {
		return nil
	}
	var all []amqp.Delivery
	for _, list := range [][]*message{q.returned, q.ready, q.stream.messages()} {
		for _, m := range list {
			all = append(all, q.delivery(m))
		}
	}
	return all
}

// Consumers is how many subscriptions a queue has.
func (b *Broker) Consumers(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[name]; q != nil {
		return len(q.subscriptions)
	}
	return 0
}

// Queues are the names of all queues, sorted.
func (b *Broker) Queues() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.queues))
}

// Has says whether there is such a queue.
func (b *Broker) Has(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queues[name] != nil
}

// Argument is one of a queue's, with which it was declared; nil if there is none.
func (b *Broker) Argument(queue, name string) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[queue]; q != nil {
		return q.arguments[name]
	}
	return nil
}

// Full lets a queue refuse for a while what is published to it, as one does that has reached its
// x-max-length with the overflow reject-publish. It is false if there is no such queue.
func (b *Broker) Full(name string, d time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[name]
	if q != nil {
		q.refusing = time.Now().Add(d)
	}
	return q != nil
}

// Delete deletes a queue with its messages. Its consumers are told.
func (b *Broker) Delete(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delete(name)
}

// WentWithQueue says whether a message of this id was in a queue that was deleted.
func (b *Broker) WentWithQueue(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost[id]
}

// Largest sets how large a body may be that is published, in bytes, as max_message_size does. 0 is
// any.
func (b *Broker) Largest(body int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.largest = body
}

// Restart ends every session, and lets nobody in for a while. Queues keep their messages.
func (b *Broker) Restart(down time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.restart(down)
}

func (b *Broker) restart(down time.Duration) {
	b.refusing = time.Now().Add(down)
	for _, s := range append([]*session(nil), b.sessions...) {
		s.cut(0, 0)
	}
}

// Alarm blocks who publishes for a while.
func (b *Broker) Alarm(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.raise(d)
}

func (b *Broker) raise(d time.Duration) {
	if b.alarm != nil {
		return
	}
	b.alarm = make(chan struct{})
	time.AfterFunc(d, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		close(b.alarm)
		b.alarm = nil
		for _, s := range b.sessions {
			if s.throttled != nil {
				s.throttled = nil
				s.send(frame{kind: "unblocked", act: func(Fault) { s.setBlocked(false) }})
			}
		}
	})
}

// refusal is what a broker says when it closes a channel or a connection.
func refusal(code int, format string, args ...any) *amqp.Error {
	return &amqp.Error{Code: code, Reason: fmt.Sprintf(format, args...), Server: true, Recover: code < 500 && code != amqp.ConnectionForced}
}
