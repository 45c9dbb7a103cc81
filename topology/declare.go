package topology

import amqp "github.com/rabbitmq/amqp091-go"

// Declarer is the part of *amqp.Channel that declares and binds.
type Declarer interface {
	ExchangeDeclare(name, kind string, durable, autoDelete, internal, noWait bool, args amqp.Table) error
	QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error)
	QueueDeclarePassive(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error)
	QueueBind(name, key, exchange string, noWait bool, args amqp.Table) error
}

var _ Declarer = (*amqp.Channel)(nil)

// Declare declares the exchanges, the queues and the bindings, in this order. Then it checks that
// the queues that it does not declare exist. It may be called again at any time: what exists
// already is left as it is.
//
// Declare stops at the first refusal, because the broker then closes the channel. Earlier
// declarations stay. The error is, or wraps, a [*MismatchError], [ErrMissing], [ErrRefused],
// [ErrInvalid] or [ErrUnchecked] where one of them applies; errors.As finds the *amqp.Error in it.
//
// The client library's calls have no timeout. Close the connection to end a Declare that hangs.
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
	// The check comes last because the broker may not allow it to this user. Everything is declared
	// then, and the caller can continue without the check.
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
