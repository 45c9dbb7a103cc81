package topology

import (
	"fmt"
	"time"
)

// Plan is what one consumer needs to have declared. Only Queue must be set.
type Plan struct {
	// Queue is the main queue, which is consumed. The names of the other queues are derived from
	// it. No name may have more than 255 bytes.
	Queue string

	// Type is the type of all the plan's queues.
	//
	// Defaults to Quorum; in the scheme Bunnicula to Classic, the only type there.
	Type QueueType

	// Delays are how long messages can wait. Each different delay gets a retry queue, in this
	// order. A delay is a whole number of milliseconds, above zero and at most MaxDelay.
	//
	// Defaults to none: then there are no retry queues.
	Delays []time.Duration

	// ErrorQueue is where messages are parked. Several plans can share one.
	//
	// Defaults to Queue + "-error".
	ErrorQueue string

	// Bindings bind the main queue to exchanges. With or without bindings, the main queue gets
	// messages that are published to the default exchange with its name as the routing key. Retried
	// messages return that way: they do not pass the exchanges of Bindings again.
	//
	// Defaults to none. The mode Never makes none.
	Bindings []Bind

	// Arguments are added to the arguments of the main queue, and replace those of the same
	// name. New refuses arguments that would break a promise: x-overflow and x-expires, which
	// delete messages, an x-delivery-limit below 1, and those of dead-lettering. It also
	// refuses those for which a Plan has a field, and those that no broker takes: an argument of
	// another type of queue, such as x-max-priority of a quorum queue, or an impossible value,
	// such as a negative x-message-ttl. An x-message-ttl parks the messages that have waited
	// longer. The broker accepts and ignores an argument that it does not know, so mind the
	// spelling. Modes that do not declare the main queue do not use Arguments.
	//
	// Defaults to none.
	Arguments map[string]any

	// GroupSize is the number of replicas with which each quorum queue is created
	// (x-quorum-initial-group-size). Brokers compare it when a queue is declared again, so choose
	// it before the first declaration.
	//
	// Defaults to the broker's own, which is 3 unless configured otherwise.
	GroupSize int

	// SingleActive lets only one consumer at a time receive messages; the others stand by
	// (x-single-active-consumer of the main queue).
	//
	// Defaults to false.
	SingleActive bool

	// Mode says what is declared and what must exist.
	//
	// Defaults to All.
	Mode Mode

	// Scheme says through which queues and exchanges messages are retried and parked.
	//
	// Defaults to Standard.
	Scheme Scheme

	// Emits are the queues to which the consumer's handler publishes, or the queue whose partitions
	// they are. Pictures show them; nothing is declared of them, and they need not exist.
	// pipeline.Stage and consumer.Emitting say them.
	//
	// Defaults to none: nothing is known.
	Emits []string
}

// QueueType is the type of a queue, spelled as in the argument x-queue-type.
type QueueType string

const (
	// Quorum queues are replicated and dead-letter at least once: a message that moves from
	// one queue to another is in at least one of them at any time.
	// See https://www.rabbitmq.com/docs/quorum-queues#dead-lettering.
	Quorum QueueType = "quorum"

	// Classic queues are on one node and dead-letter at most once. A message that returns from a
	// retry queue is lost if the broker dies at that moment, or if the main queue cannot take it
	// because it was deleted or is full. See https://www.rabbitmq.com/docs/dlx#safety. Classic
	// queues do not count deliveries, so a message that kills its process is delivered for ever.
	Classic QueueType = "classic"
)

// Mode says how much of a topology is declared.
type Mode int

const (
	// All declares everything. The user needs the permission to configure all the queues and,
	// because they dead-letter, to read them and to write to the default exchange
	// (https://www.rabbitmq.com/docs/access-control).
	All Mode = iota

	// Satellites declares everything but the main queue, which must exist and may have any
	// arguments, but may not be a stream. Use it to adopt a queue that existed before.
	Satellites

	// Never declares nothing, and checks that every queue exists. Use it for workers without the
	// permission to configure.
	Never
)

// String returns the mode's name.
func (m Mode) String() string { return nameOf(m, "All", "Satellites", "Never") }

// Scheme is an arrangement of queues and exchanges.
type Scheme int

const (
	// Standard has one retry queue for each delay. Messages move through the default exchange
	// only, which always exists and cannot be deleted.
	Standard Scheme = iota

	// Bunnicula declares exactly what Bunnicula for Clojure declares, and moves messages the same
	// way, so that consumers of both can share a queue. Use it to join a running fleet, and
	// Standard otherwise, because this scheme can lose messages:
	//
	//   - The exchanges that lead to the retry queue and back are transient. After a restart of the
	//     broker, a message that expires before a consumer has declared them again finds no
	//     exchange and is dropped.
	//   - The queues are classic and dead-letter at most once: a message that returns from the
	//     retry queue while the broker dies can be lost.
	//   - The main queue does not dead-letter: a message that expires there is dropped, not parked.
	//   - Deliveries are not counted: a message that kills its process is delivered for ever.
	//
	// There is one delay, because in a queue with several delays a message waits for those before
	// it. The queues are declared without a type, as in Clojure. They get the virtual host's
	// default type, which is classic unless configured otherwise.
	Bunnicula
)

// String returns the scheme's name.
func (s Scheme) String() string { return nameOf(s, "Standard", "Bunnicula") }

// nameOf implements String for an enumeration.
func nameOf[T ~int](v T, names ...string) string {
	if v < 0 || int(v) >= len(names) {
		return fmt.Sprintf("%T(%d)", v, int(v))
	}
	return names[v]
}
