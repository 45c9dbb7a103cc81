package simulated

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// binding is of a direct exchange.
type binding struct{ key, queue string }

// route finds the queues of a message. It is false if there is no such exchange.
func (b *Broker) route(exchange, key string) ([]*queue, bool) {
	var to []*queue
	if exchange == "" {
		if q := b.queues[key]; q != nil {
			to = append(to, q)
		}
		return to, true
	}
	bindings, there := b.exchanges[exchange]
	for _, bind := range bindings {
		if q := b.queues[bind.queue]; q != nil && bind.key == key {
			to = append(to, q)
		}
	}
	return to, there
}

func noQueue(name string) *amqp.Error {
	return refusal(amqp.NotFound, "NOT_FOUND - no queue '%s' in vhost '/'", name)
}

func noExchange(name string) *amqp.Error {
	return refusal(amqp.NotFound, "NOT_FOUND - no exchange '%s' in vhost '/'", name)
}

// spelled is an argument as the broker writes it.
func spelled(v any) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprintf("'%v'", v)
}
