package simulated

import (
	"maps"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// redeadletter is how long a broker waits before it tries a dead letter again that has no place.
const redeadletter = 180 * time.Second

// kill sends a message to the dead-letter queue.
func (q *queue) kill(m *message, why string) {
	q.broker.note(Event{Kind: DeadLetter, Queue: q.name, Message: m.MessageId, Text: why})
	if _, there := q.arguments["x-dead-letter-exchange"]; !there {
		q.broker.lost[m.MessageId] = true
		return
	}
	q.dying = append(q.dying, m)
	q.bury(m, why)
}

// keeps says whether a dead letter is kept until there is a place for it.
func (q *queue) keeps() bool {
	return q.quorum && q.arguments["x-dead-letter-strategy"] == "at-least-once" && q.arguments["x-overflow"] == "reject-publish"
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
	targets, _ := q.broker.route(exchange, key, m.Headers)
	dead := q.dead(m, exchange, key, why)
	targets = slices.DeleteFunc(slices.Clone(targets), func(to *queue) bool { return circles(dead, to) })
	if q.keeps() && (len(targets) == 0 || slices.ContainsFunc(targets, (*queue).full)) {
		time.AfterFunc(redeadletter, func() {
			q.broker.mu.Lock()
			defer q.broker.mu.Unlock()
			q.bury(m, why)
		})
		return
	}
	q.dying = slices.DeleteFunc(q.dying, func(o *message) bool { return o == m })
	targets = slices.DeleteFunc(targets, (*queue).full)
	if len(targets) == 0 {
		q.broker.lost[m.MessageId] = true
	}
	for _, to := range targets {
		to.push(q.dead(m, exchange, key, why))
	}
}

// dead is a message as it is dead-lettered.
func (q *queue) dead(m *message, exchange, key, why string) *message {
	dead := &message{Publishing: m.Publishing, exchange: exchange, key: key, died: true}
	dead.Headers = maps.Clone(m.Headers)
	if dead.Headers == nil {
		dead.Headers = amqp.Table{}
	}
	if !m.died && q.broker.Version != RabbitMQ3 { // it believes no client
		maps.DeleteFunc(dead.Headers, func(name string, _ any) bool { return wire.IsDeath(name) })
	}
	entry := amqp.Table{
		"count": int64(1), "reason": why, "queue": q.name, "time": time.Now().Truncate(time.Second), "exchange": m.exchange, "routing-keys": []any{m.key},
	}
	if m.Expiration != "" { // it shall not expire again
		entry["original-expiration"], dead.Expiration = m.Expiration, ""
	}
	dead.Headers["x-death"] = died(dead.Headers["x-death"], entry)
	for name, value := range map[string]string{"queue": q.name, "reason": why, "exchange": m.exchange} {
		if _, known := dead.Headers["x-first-death-"+name]; !known {
			dead.Headers["x-first-death-"+name] = value
		}
		if q.broker.Version != RabbitMQ3 {
			dead.Headers["x-last-death-"+name] = value
		}
	}
	return dead
}

// circles says whether a message that was dead-lettered has come back to where it was before, and
// nobody has rejected it on the way.
func circles(m *message, to *queue) bool {
	deaths, _ := m.Headers["x-death"].([]any)
	for _, one := range deaths { // the newest first
		switch death, _ := one.(amqp.Table); {
		case death["reason"] == rejected:
			return false
		case death["queue"] == to.name:
			return true
		}
	}
	return false
}

// died adds an entry to those of earlier deaths, in front. Deaths in one queue for one reason are
// one entry, which counts them.
func died(before any, entry amqp.Table) []any {
	all := []any{entry}
	list, _ := before.([]any)
	for _, one := range list {
		old, _ := one.(amqp.Table)
		if old["queue"] != entry["queue"] || old["reason"] != entry["reason"] {
			all = append(all, one)
			continue
		}
		again := maps.Clone(old)
		if n, ok := old["count"].(int64); ok {
			again["count"] = n + 1
		}
		all[0] = again
	}
	return all
}
