package simulated

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// queue is a quorum queue, a classic one or a stream.
type queue struct {
	broker *Broker
	name   string
	properties
	arguments amqp.Table
	quorum    bool
	stream    *stream  // of a queue that is one; nil otherwise
	owner     *session // of an exclusive queue, which ends with it

	returned      []*message // back from a consumer: they go first
	ready         []*message
	unacked       int
	pushed        int             // messages so far, which numbers them
	dying         []*message      // on their way to the dead-letter queue
	subscriptions []*subscription // whose turn it is first, or who is active
	refusing      time.Time       // what is published until then
	deleted       bool
}

// message is one in a queue.
type message struct {
	amqp.Publishing
	exchange, key string
	number        int   // in its queue; the offset in a stream
	count         int64 // how often it came back, as far as that counts
	back          int64 // how often it came back
	died          bool  // the broker has dead-lettered it, so that its x-death is the broker's
	expires       time.Time
	written       time.Time // to a stream
}

// subscription is a consumer's.
type subscription struct {
	tag       string
	on        *served
	queue     *queue
	prefetch  int // of the time when it was made; 0 is no limit
	unacked   int // of it, and of an earlier one with its tag
	priority  int64
	autoAck   bool
	exclusive bool
	cursor    int // of a stream: the offset to go on at
}

// hasRoom says whether it may have one more message.
func (s *subscription) hasRoom() bool {
	return s.autoAck || s.prefetch == 0 || s.unacked < s.prefetch
}

// Why a message is requeued that its consumer gave back.
const (
	nacked   = "nacked"
	rejected = "rejected"
)

// delete takes all messages along, and tells the consumers.
func (b *Broker) delete(name string) {
	q := b.queues[name]
	if q == nil {
		return
	}
	delete(b.queues, name)
	q.deleted = true
	b.unbind(name)
	for _, list := range [][]*message{q.returned, q.ready, q.dying, q.stream.messages()} {
		for _, m := range list {
			b.lost[m.MessageId] = true
		}
	}
	for _, s := range b.sessions {
		for _, ch := range s.served {
			for _, d := range ch.unacked {
				if d.queue == q {
					b.lost[d.message.MessageId] = true
				}
			}
		}
	}
	for _, sub := range q.subscriptions {
		sub.on.cancelled(sub)
	}
}

// argument reads a number; -1 is none.
func (q *queue) argument(name string) int64 {
	if n, ok := q.arguments[name].(int64); ok {
		return n
	}
	return -1
}

// defaultLimit is that of RabbitMQ 4 for the deliveries of a quorum queue.
const defaultLimit = 20

// limit is how often a message may come back; -1 is any number of times.
func (q *queue) limit() int64 {
	n := q.argument("x-delivery-limit")
	switch {
	case !q.quorum:
		return -1
	case n < 0 && q.broker.Version != RabbitMQ3 && q.arguments["x-delivery-limit"] == nil:
		return defaultLimit
	}
	return n
}

// single says whether only one consumer at a time gets messages.
func (q *queue) single() bool { return q.arguments["x-single-active-consumer"] == true }

func (q *queue) depth() int { return len(q.returned) + len(q.ready) + len(q.stream.messages()) }

// full says whether it refuses what is published.
func (q *queue) full() bool {
	if time.Now().Before(q.refusing) {
		return true
	}
	return q.arguments["x-overflow"] == "reject-publish" && q.over(1)
}

// over says whether there would be too many messages with so many more.
func (q *queue) over(more int) bool {
	if limit := q.argument("x-max-length"); limit >= 0 && int64(q.depth()+more) > limit {
		return true
	}
	limit := q.argument("x-max-length-bytes")
	if limit < 0 {
		return false
	}
	bytes := 0
	for _, list := range [][]*message{q.returned, q.ready} {
		for _, m := range list {
			bytes += len(m.Body)
		}
	}
	return int64(bytes) > limit || more > 0 && int64(bytes) == limit
}

// push adds a message that was published or dead-lettered.
func (q *queue) push(m *message) {
	if q.stream != nil {
		q.stream.push(m)
		q.dispatch()
		return
	}
	q.pushed++
	m.number = q.pushed
	if ttl, bounded := q.ttl(m); bounded {
		if sub := q.next(); ttl == 0 && q.depth() == 0 && sub != nil {
			sub.on.deliver(sub, m) // it has not waited
			return
		}
		m.expires = time.Now().Add(ttl)
		time.AfterFunc(ttl, q.lockedExpire)
	}
	q.ready = append(q.ready, m)
	q.dispatch()
}

// requeue is for what comes back from a consumer.
func (q *queue) requeue(m *message, by *served, why string) {
	if q.deleted || q.stream != nil {
		return
	}
	m.back++
	if why != nacked || q.broker.Version != RabbitMQ43 {
		m.count++
	}
	by.note(Event{Kind: Requeued, Queue: q.name, Message: m.MessageId, Text: fmt.Sprintf("%s, %d times now", why, m.count)})
	switch limit := q.limit(); {
	case !q.quorum: // where it was
		at, _ := slices.BinarySearchFunc(q.returned, m.number, func(o *message, n int) int { return o.number - n })
		q.returned = slices.Insert(q.returned, at, m)
	case limit >= 0 && m.count > limit:
		q.kill(m, "delivery_limit")
	case limit < 0 && (why == nacked || why == rejected) && q.broker.Version == RabbitMQ3:
		q.ready = append(q.ready, m) // a queue without a limit would else keep its log for ever
	default:
		q.returned = append(q.returned, m)
	}
}

// dispatch hands on what there is to consumers with room. Of what is left then the oldest go, if
// the queue is too long: also when that is for what has come back to it.
func (q *queue) dispatch() {
	if q.stream != nil {
		q.stream.dispatch(q.subscriptions)
		return
	}
	for q.expire(); q.depth() > 0; {
		sub := q.next()
		if sub == nil {
			break
		}
		sub.on.deliver(sub, q.take())
	}
	for q.arguments["x-overflow"] != "reject-publish" && q.over(0) {
		q.kill(q.take(), "maxlen")
	}
}

// take removes the next message, nil if there is none.
func (q *queue) take() *message {
	q.expire()
	list := &q.ready
	if len(q.returned) > 0 {
		list = &q.returned
	}
	if len(*list) == 0 {
		return nil
	}
	m := (*list)[0]
	*list = (*list)[1:]
	return m
}

// next is the consumer whose turn it is; nil if none has room. It is the one that had its last turn
// first, among those of the highest priority.
func (q *queue) next() *subscription {
	if len(q.subscriptions) == 0 {
		return nil
	}
	if q.single() {
		return q.active()
	}
	best := -1
	for i, sub := range q.subscriptions {
		if sub.hasRoom() && (best < 0 || sub.priority > q.subscriptions[best].priority) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	sub := q.subscriptions[best]
	q.subscriptions = append(slices.Delete(q.subscriptions, best, best+1), sub)
	return sub
}

// active is the single active consumer if it may have a message now. In a quorum queue of RabbitMQ
// 4 one with a higher priority takes its place. Until it has settled what it has, nobody gets more.
func (q *queue) active() *subscription {
	best := 0
	for i, sub := range q.subscriptions {
		if sub.priority > q.subscriptions[best].priority {
			best = i
		}
	}
	if best > 0 && q.quorum && q.broker.Version != RabbitMQ3 {
		if q.subscriptions[0].unacked > 0 {
			return nil
		}
		sub := q.subscriptions[best]
		q.subscriptions = slices.Insert(slices.Delete(q.subscriptions, best, best+1), 0, sub)
	}
	if first := q.subscriptions[0]; first.hasRoom() {
		return first
	}
	return nil
}

// sameValue compares two values of headers, whatever the size of their integers.
func sameValue(a, b any) bool { return reflect.DeepEqual(plain(a), plain(b)) }
