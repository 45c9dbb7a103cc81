package topology

import amqp "github.com/rabbitmq/amqp091-go"

// Declarer is the part of *amqp.Channel that declares things.
type Declarer interface {
	ExchangeDeclare(name, kind string, durable, autoDelete, internal, noWait bool, args amqp.Table) error
	QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error)
	QueueDeclarePassive(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error)
	QueueBind(name, key, exchange string, noWait bool, args amqp.Table) error
}

var _ Declarer = (*amqp.Channel)(nil)

// Declare declares the exchanges, the queues and the bindings, in this order, and
// then checks that the queues that must exist are there. It may be called again at any
// time: what is there already is left as it is.
//
// It stops at the first refusal, since the broker closes the channel with it. The error
// is, or wraps, a [*MismatchError], [ErrMissing], [ErrRefused] or [ErrUnchecked] where
// one of them applies; an *amqp.Error can be had from it with errors.As. What was
// declared before stays.
//
// The client gives its calls no time limit: close the connection to end a Declare
// that hangs.
func (t Topology) Declare(d Declarer) error {
	for _, e := range t.Exchanges {
		if err := d.ExchangeDeclare(e.Name, e.Kind, !e.Transient, e.AutoDelete, false, false, nil); err != nil {
			return refusal(err, step{what: "exchange", name: e.Name})
		}
	}
	for _, q := range t.Queues {
		if q.Existing {
			continue
		}
		if _, err := d.QueueDeclare(q.Name, true, false, false, false, table(q.Arguments)); err != nil {
			return refusal(err, step{what: "queue", name: q.Name, role: q.Role, arguments: q.Arguments})
		}
	}
	for _, b := range t.Bindings {
		if err := d.QueueBind(b.Queue, b.Key, b.Exchange, false, table(b.Arguments)); err != nil {
			return refusal(err, step{what: "binding", name: b.Queue, exchange: b.Exchange, key: b.Key})
		}
	}
	// Last, because a broker may refuse to let us look. All else is then done, and
	// the caller can go on without having looked.
	for _, q := range t.Queues {
		if !q.Existing {
			continue
		}
		if _, err := d.QueueDeclarePassive(q.Name, true, false, false, false, nil); err != nil {
			return refusal(err, step{what: "queue", name: q.Name, role: q.Role, passive: true})
		}
	}
	return nil
}
