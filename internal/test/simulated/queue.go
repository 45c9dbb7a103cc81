package simulated

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// queue is a quorum queue.
type queue struct {
	broker    *Broker
	name      string
	arguments amqp.Table

	returned      []*message // back from a consumer: they go first
	ready         []*message
	unacked       int
	dying         []*message      // on their way to the dead-letter queue
	subscriptions []*subscription // whose turn it is first, or who is active
	deleted       bool
}

// message is one in a queue.
type message struct {
	amqp.Publishing
	exchange, key string
	count         int64 // how often it came back, as far as that counts
	back          int64 // how often it came back
	expires       time.Time
}

// subscription is a consumer's.
type subscription struct {
	tag      string
	on       *served
	queue    *queue
	prefetch int // of the time when it was made; 0 is no limit
	unacked  int // of it, and of an earlier one with its tag
}

// Why a message is requeued that its consumer gave back.
const (
	nacked   = "nacked"
	rejected = "rejected"
)

// redeadletter is how long a broker waits before it tries a dead letter again that has no place.
const redeadletter = 180 * time.Second

// declare is queue.declare: nil, or why not.
func (b *Broker) declare(name string, args amqp.Table) *amqp.Error {
	q := b.queues[name]
	if q == nil {
		b.queues[name] = &queue{broker: b, name: name, arguments: maps.Clone(args)}
		return nil
	}
	for _, all := range []amqp.Table{args, q.arguments} {
		for _, arg := range slices.Sorted(maps.Keys(all)) {
			if !reflect.DeepEqual(args[arg], q.arguments[arg]) {
				return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - inequivalent arg '%s' for queue '%s' in vhost '/': received %s but current is %s",
					arg, name, spelled(args[arg]), spelled(q.arguments[arg]))
			}
		}
	}
	return nil
}

// delete takes all messages along, and tells the consumers.
func (b *Broker) delete(name string) {
	q := b.queues[name]
	if q == nil {
		return
	}
	delete(b.queues, name)
	q.deleted = true
	for _, list := range [][]*message{q.returned, q.ready, q.dying} {
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

// full says whether it refuses what is published.
func (q *queue) full() bool {
	limit := q.argument("x-max-length")
	return limit >= 0 && q.arguments["x-overflow"] == "reject-publish" && int64(len(q.returned)+len(q.ready)) >= limit
}

// push adds a message that was published or dead-lettered.
func (q *queue) push(m *message) {
	if ttl := q.argument("x-message-ttl"); ttl >= 0 {
		m.expires = time.Now().Add(time.Duration(ttl) * time.Millisecond)
		time.AfterFunc(time.Until(m.expires), q.lockedExpire)
	}
	q.ready = append(q.ready, m)
	q.dispatch()
}

// requeue is for what comes back from a consumer.
func (q *queue) requeue(m *message, by *served, why string) {
	if q.deleted {
		return
	}
	m.back++
	if why != nacked || q.broker.Version != RabbitMQ43 {
		m.count++
	}
	by.note(Event{Kind: Requeued, Queue: q.name, Message: m.MessageId, Text: fmt.Sprintf("%s, %d times now", why, m.count)})
	switch limit := q.argument("x-delivery-limit"); {
	case limit >= 0 && m.count > limit:
		q.kill(m, "delivery_limit")
	case limit < 0 && (why == nacked || why == rejected) && q.broker.Version == RabbitMQ3:
		q.ready = append(q.ready, m) // a queue without a limit would else keep its log for ever
	default:
		q.returned = append(q.returned, m)
	}
}

func (q *queue) lockedExpire() {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	q.expire()
}

// expire looks at the head only.
func (q *queue) expire() {
	if q.deleted {
		return
	}
	for _, list := range []*[]*message{&q.returned, &q.ready} {
		for len(*list) > 0 {
			m := (*list)[0]
			if m.expires.IsZero() || time.Now().Before(m.expires) {
				return
			}
			*list = (*list)[1:]
			q.kill(m, "expired")
		}
	}
}

// dispatch hands on what there is to consumers with room.
func (q *queue) dispatch() {
	for q.expire(); len(q.returned)+len(q.ready) > 0; {
		sub := q.next()
		if sub == nil {
			return
		}
		sub.on.deliver(sub, q.take())
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

// next is the consumer whose turn it is; nil if none has room.
func (q *queue) next() *subscription {
	for i, sub := range q.subscriptions {
		if sub.prefetch == 0 || sub.unacked < sub.prefetch {
			if q.arguments["x-single-active-consumer"] != true {
				q.subscriptions = append(slices.Delete(q.subscriptions, i, i+1), sub)
			}
			return sub
		}
		if q.arguments["x-single-active-consumer"] == true {
			return nil
		}
	}
	return nil
}

// kill sends a message to the dead-letter queue, at least once: it is kept until there is a place.
func (q *queue) kill(m *message, why string) {
	q.broker.note(Event{Kind: DeadLetter, Queue: q.name, Message: m.MessageId, Text: why})
	if _, there := q.arguments["x-dead-letter-exchange"]; !there {
		q.broker.lost[m.MessageId] = true
		return
	}
	q.dying = append(q.dying, m)
	q.bury(m, why)
}

func (q *queue) bury(m *message, why string) {
	if q.deleted {
		return
	}
	exchange, _ := q.arguments["x-dead-letter-exchange"].(string)
	key, ok := q.arguments["x-dead-letter-routing-key"].(string)
	if !ok {
		key = m.key
	}
	targets, _ := q.broker.route(exchange, key)
	if len(targets) == 0 || slices.ContainsFunc(targets, (*queue).full) {
		time.AfterFunc(redeadletter, func() {
			q.broker.mu.Lock()
			defer q.broker.mu.Unlock()
			q.bury(m, why)
		})
		return
	}
	q.dying = slices.DeleteFunc(q.dying, func(o *message) bool { return o == m })
	for _, to := range targets {
		dead := &message{Publishing: m.Publishing, exchange: exchange, key: key}
		dead.Headers = maps.Clone(m.Headers)
		if dead.Headers == nil {
			dead.Headers = amqp.Table{}
		}
		dead.Headers["x-death"] = []any{amqp.Table{
			"count": int64(1), "reason": why, "queue": q.name, "time": time.Now().Truncate(time.Second), "exchange": m.exchange, "routing-keys": []any{m.key},
		}}
		dead.Headers["x-first-death-queue"], dead.Headers["x-first-death-reason"], dead.Headers["x-first-death-exchange"] = q.name, why, m.exchange
		to.push(dead)
	}
}
