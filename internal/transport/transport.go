// Package transport is the interface of publishers, consumers and error queues to a broker. Package
// internal/link implements it with amqp091-go, and tests with a broker in simulated time. Each
// implementation keeps this contract, which is also a test (internal/simulated):
//
//   - A session is the life of one TCP connection, and never comes back. When it ends, all of its
//     channels end. The broker then has back every delivery of the session that was not settled.
//   - A return precedes the confirm of its message. When a [Confirmation] is done, the return of
//     its message is already in the channel given to NotifyReturn.
//   - A Confirmation that is done and not acked is a nack only if its channel is open. At the end
//     of a channel all pending confirms become done and not acked: the outcome of their messages is
//     unknown.
//   - A notice that finds no room in its Go channel may be dropped. So a channel given to
//     NotifyReturn has room for a return of every message in flight, and one given to NotifyClose
//     or NotifyCancel has room for one. All of them are closed at the end of the AMQP channel.
//   - One goroutine at a time makes requests on a channel: declare, bind, delete, Qos, Consume,
//     Cancel, Get, Confirm, Close. The client library does not match replies to requests, so two
//     concurrent requests may swap their replies. Only Close may run beside a request that was
//     given up; then neither result means anything.
//   - Publish may run beside a request, and so may Ack, Nack and Reject, which any goroutine may
//     call. One goroutine at a time publishes, so that confirmations are in the order of its calls.
//   - An ack whose call returned nil may still be lost with the connection. A request that is
//     answered after it on the same channel shows that the ack has arrived.
//   - No call has a timeout. [Session.Do] bounds a request.
package transport

import (
	"context"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/effective"
)

// Connection is one logical connection to a broker: a TCP connection to publish, one to consume,
// and others on demand. All methods are safe for use by many goroutines at once.
type Connection interface {
	Name() string
	Version() string
	// Lazy says whether whoever starts on the Connection does not wait for the broker.
	Lazy() bool

	// Publishing is the link on which messages are published.
	Publishing() Link
	// Consuming is the link on which messages are consumed and acked. Nothing is published on it: a
	// broker with a memory alarm blocks every connection that publishes, and with it the acks. Its
	// deliveries may lack the broker's record of their deaths (x-death, x-first-death-* and
	// x-last-death-*): no consumer reads it, and to read it costs more than all other headers.
	Consuming() Link
	// ConsumingAlone makes a link like Consuming that has one user only. It lasts until its Close,
	// or until Stop.
	ConsumingAlone(purpose string) Link
	// Dedicated makes a link that has one user only. It lasts until its Close, or until Stop.
	Dedicated(purpose string) Link
	// Reading is Dedicated for a user that only reads. Nothing is published on it, so it can read
	// headers that are larger than the negotiated frame, which a broker may send.
	Reading(purpose string) Link

	// Effective says how the broker treats a queue, policies included. The error is
	// effective.ErrUnknown if no management API is configured, and effective.ErrNotYet if it does
	// not know yet.
	Effective(ctx context.Context, queue string) (effective.Queue, error)

	// Shared is what all consumers of the Connection share.
	Shared() *Shared

	// Notify calls f at each Event, one at a time and in order, until stop is called.
	Notify(f func(Event)) (stop func())
	// Stop closes all links and ends every session. It returns when that is done, or when ctx ends.
	Stop(ctx context.Context) error
	// Abort closes every socket without a word to the broker.
	Abort()
}

// Link is one TCP connection over all its sessions. It reconnects until it is closed.
type Link interface {
	// Session waits for a live session and returns it. The first call opens the connection. The
	// error is ctx's if ctx ends first, and ErrClosed after Close. It is a *RefusedError, at once,
	// if the broker refuses the connection and has never accepted one.
	//
	// The link of a Lazy connection waits also then.
	Session(context.Context) (Session, error)
	// Begin opens the connection, and waits for nothing.
	Begin()
	Health() LinkHealth
	// Close ends the session and lets no other begin. It says goodbye to the broker if ctx leaves
	// time for that.
	Close(context.Context)
}

// Session is the life of one TCP connection.
type Session interface {
	// Channel opens a channel.
	Channel(context.Context) (Channel, error)
	// Do runs f, which makes a request. If the broker does not answer in time, Do ends the session,
	// which frees f. If ctx ends first, Do returns while f still runs: the caller may not read what
	// f sets.
	Do(ctx context.Context, what string, f func() error) error
	// Done is closed when the session has ended.
	Done() <-chan struct{}
	// Err is why the session ended. It is nil while the session lives.
	Err() error
	// Retired ends when another session has taken the place of this one, which ends some time
	// later. Who uses this one may finish what is in hand, and then go on with the other.
	Retired() context.Context
	// Abort closes the socket at once. Every call that waits for the session returns.
	Abort(why error)
	// Pulse makes a request that no queue and no channel of others has a part in, unless the answer
	// to one is still to come, and returns how many were answered. It waits for nothing, and a
	// broker that does not answer does not end the session over it.
	Pulse() (answers uint64)
	// User is the name of the login. The broker accepts no other user id on a message.
	User() string
	// Peer describes the broker at the other end.
	Peer() Peer
	// Blocked says whether the broker takes no messages, because of a memory or disk alarm, and
	// why. The channel is closed at the next change.
	Blocked() (reason string, blocked bool, change <-chan struct{})
}

// Channel is an *amqp.Channel, whose documentation describes each of these methods.
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

// Confirmation is the outcome of one published message.
type Confirmation interface {
	Done() <-chan struct{}
	Acked() bool
}

// Peer describes the broker at the other end of a session, and what was negotiated with it.
type Peer struct {
	Product   string // as the broker says, such as "RabbitMQ"
	Version   string // as the broker says, such as "4.0.5"
	Cluster   string // the cluster's name
	Addr      string // host:port
	User      string
	VHost     string
	TLS       bool
	Heartbeat time.Duration
	// FrameMax is the largest frame that may be sent to the broker, in bytes. The headers and
	// properties of a message must fit one frame. 0 is 128 KiB.
	FrameMax int
}

// NackCounts returns whether the broker raises x-delivery-count for a nack that requeues. RabbitMQ
// 4.3 does not (https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling). An unknown
// version is assumed to do so.
func (p Peer) NackCounts() bool {
	major, rest, _ := strings.Cut(p.Version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	m, err1 := strconv.Atoi(major)
	n, err2 := strconv.Atoi(minor)
	return err1 != nil || err2 != nil || m < 4 || m == 4 && n < 3
}

// HeaderIllegible replaces headers that the client library cannot read. Its value is their bytes:
// names and values as AMQP encodes them.
const HeaderIllegible = "bunnicula-illegible"
