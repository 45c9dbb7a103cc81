// Package transport is what publishers, consumers and error queues ask of a broker. Package
// internal/link answers with amqp091-go; tests answer with a broker in simulated time. Whoever
// implements it keeps this contract, which is also a test (internal/test/simulated):
//
//   - A session is the life of one TCP connection, and never comes back. When it ends, all of its
//     channels end. What was delivered on it and not settled is the broker's again.
//   - A return precedes the confirm of its message. When a [Confirmation] is done, the return of
//     its message is already in the channel given to NotifyReturn.
//   - A Confirmation that is done and not acked is a nack only if its channel is open. At the end
//     of a channel all pending confirmations become done and not acked: their fate is unknown.
//   - A notice that finds no room in its Go channel may be dropped. So a channel given to
//     NotifyReturn has room for a return of every message in flight, and one given to NotifyClose
//     or NotifyCancel has room for one. All of them are closed at the end of the AMQP channel.
//   - One goroutine at a time makes requests on a channel: declare, bind, delete, Qos, Consume,
//     Cancel, Get, Confirm, Close. The client library does not match replies to requests, so two
//     concurrent requests may swap their replies. Only Close may come beside a request that was
//     given up; then neither result means anything.
//   - Publish may run beside a request, and so may Ack, Nack and Reject, which any goroutine may
//     call. One goroutine at a time publishes, so that confirmations are in the order of its calls.
//   - An ack whose call returned nil may still be lost with the connection. A request that is
//     answered behind it on the same channel shows that it has arrived.
//   - No call knows a timeout. [Session.Do] bounds a request.
package transport

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Connection is one logical connection to a broker: a TCP connection to publish, one to consume,
// and others on demand. All methods are safe for use by many goroutines at once.
type Connection interface {
	Name() string
	Version() string

	// Publishing is the link that messages are sent on.
	Publishing() Link
	// Consuming is the link that messages are received and acked on. Nothing is published on it: a
	// broker with a memory alarm blocks a connection that publishes, acks on it included.
	Consuming() Link
	// Dedicated makes a link that nobody else uses. It lasts until its Close, or until Stop.
	Dedicated(purpose string) Link
	// Reading is Dedicated for who reads messages and may not lose one. No header ends its session:
	// see [HeaderIllegible]. Nothing is published on it.
	Reading(purpose string) Link

	// Shared is what all consumers of the Connection share.
	Shared() *Shared

	// Notify calls f at each Event, one at a time and in order, until stop is called.
	Notify(f func(Event)) (stop func())
	// Stop closes all links and ends every session, at the latest when ctx ends.
	Stop(ctx context.Context) error
	// Abort closes every socket without a word to the broker.
	Abort()
}

// Link is one TCP connection over all its sessions. It connects again for as long as it takes.
type Link interface {
	// Session waits for a live session and returns it; the first call opens the connection. Its
	// error is ctx's when that ends first, ErrClosed after Close, and at once a *RefusedError if
	// the broker has never let us in.
	Session(context.Context) (Session, error)
	Health() LinkHealth
	// Close ends the session, with a goodbye if ctx leaves time for it, and lets none begin.
	Close(context.Context)
}

// Session is the life of one TCP connection.
type Session interface {
	// Channel opens a channel.
	Channel(context.Context) (Channel, error)
	// Do runs f, which makes a request. A broker that does not answer in time loses the session,
	// which frees f. When ctx ends first Do returns, and f is left to end by itself: what f sets
	// may not be read then.
	Do(ctx context.Context, what string, f func() error) error
	// Done is closed when the session has ended.
	Done() <-chan struct{}
	// Err is why the session ended, nil while it lives.
	Err() error
	// Abort closes the socket at once. Whatever waits for it returns.
	Abort(why error)
	// User is the name of the login. It is the only user id that a message may carry.
	User() string
	// Peer tells who is at the other end.
	Peer() Peer
	// Blocked says whether the broker takes no messages (a memory or disk alarm), and why. The
	// channel is closed at the next change.
	Blocked() (reason string, blocked bool, change <-chan struct{})
}

// Channel is an *amqp.Channel, whose methods say what each of these does.
type Channel interface {
	ExchangeDeclare(name, kind string, durable, autoDelete, internal, noWait bool, args amqp.Table) error
	QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error)
	QueueDeclarePassive(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error)
	ExchangeDeclarePassive(name, kind string, durable, autoDelete, internal, noWait bool, args amqp.Table) error
	QueueDelete(name string, ifUnused, ifEmpty, noWait bool) (int, error)
	QueueBind(name, key, exchange string, noWait bool, args amqp.Table) error

	Qos(prefetch, size int, global bool) error
	Consume(queue, tag string, autoAck, exclusive, noLocal, noWait bool, args amqp.Table) (<-chan amqp.Delivery, error)
	Cancel(tag string, noWait bool) error
	Get(queue string, autoAck bool) (amqp.Delivery, bool, error)
	Ack(tag uint64, multiple bool) error
	Nack(tag uint64, multiple, requeue bool) error
	Reject(tag uint64, requeue bool) error

	Confirm(noWait bool) error
	Publish(exchange, key string, mandatory bool, msg amqp.Publishing) (Confirmation, error)

	NotifyReturn(chan amqp.Return) chan amqp.Return
	NotifyCancel(chan string) chan string
	NotifyClose(chan *amqp.Error) chan *amqp.Error
	IsClosed() bool
	Close() error
}

// Confirmation is what becomes of one published message.
type Confirmation interface {
	Done() <-chan struct{}
	Acked() bool
}

// Peer is who is at the other end of a session, and what was agreed with it.
type Peer struct {
	Product   string // as the broker says, "RabbitMQ"
	Version   string // as the broker says, "4.0.5"
	Cluster   string // the cluster's name
	Addr      string // host:port
	User      string
	VHost     string
	TLS       bool
	Heartbeat time.Duration
}

// HeaderIllegible stands in place of headers that the client library cannot read. Its value is
// their bytes, names and values as AMQP encodes them.
const HeaderIllegible = "bunnicula-illegible"
