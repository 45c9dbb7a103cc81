// Package transport is all that publisher and consumer ask of a broker: sessions, their
// channels, and on a channel to declare, consume, settle, publish and be confirmed. [Over] has
// amqp091-go behind it. Tests have a broker in simulated time.
package transport

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Connection is a *connection.Connection.
type Connection interface {
	Name() string
	Version() string
	Publishing() Link
	Consuming() Link
	Apart(purpose string) Link
}

// Link is a *connection.Link.
type Link interface {
	Session(context.Context) (Session, error)
	Health() connection.LinkHealth
	Close(context.Context)
}

// Session is a *connection.Session.
type Session interface {
	Channel(context.Context) (Channel, error)
	Do(ctx context.Context, what string, f func() error) error
	Done() <-chan struct{}
	Err() error
	User() string
	Blocked() (reason string, blocked bool, change <-chan struct{})
}

// Channel is an *amqp.Channel, whose methods say what each of these does.
type Channel interface {
	topology.Declarer

	Qos(prefetch, size int, global bool) error
	Consume(queue, tag string, autoAck, exclusive, noLocal, noWait bool, args amqp.Table) (<-chan amqp.Delivery, error)
	Cancel(tag string, noWait bool) error
	Get(queue string, autoAck bool) (amqp.Delivery, bool, error)
	Ack(tag uint64, multiple bool) error
	Nack(tag uint64, multiple, requeue bool) error

	Confirm(noWait bool) error
	Publish(exchange, key string, mandatory bool, msg amqp.Publishing) (Confirmation, error)

	NotifyReturn(chan amqp.Return) chan amqp.Return
	NotifyCancel(chan string) chan string
	NotifyClose(chan *amqp.Error) chan *amqp.Error
	IsClosed() bool
	Close() error
}

// Confirmation is what becomes of one published message. At the end of its channel it is Done
// and not Acked, which is then no nack: its fate is unknown.
type Confirmation interface {
	Done() <-chan struct{}
	Acked() bool
}
