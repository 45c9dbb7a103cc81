package topology

import (
	"fmt"
	"time"
)

// Plan is what one consumer needs to have declared. Only Queue must be set.
type Plan struct {
	// Queue is the main queue, the one that is consumed. The names of the others
	// are made from it. At most 255 bytes, theirs included.
	Queue string

	// Type is the type of all the plan's queues.
	//
	// Defaults to Quorum; in the scheme Bunnicula to Classic, the only one there.
	Type QueueType

	// Delays are how long a message can be made to wait. Each different one gets a
	// retry queue, in this order. Each is a whole number of milliseconds, above zero
	// and at most MaxDelay.
	//
	// Defaults to none: then there are no retry queues.
	Delays []time.Duration

	// ErrorQueue is where messages are parked. Several plans can share one.
	//
	// Defaults to Queue + "-error".
	ErrorQueue string

	// Bindings bind the main queue to exchanges. Whatever the bindings, the main
	// queue gets what is published to the default exchange with its name as the
	// routing key. Retried messages come back that way and pass no exchange again.
	//
	// Defaults to none. The mode Never makes none.
	Bindings []Bind

	// Arguments are further arguments of the main queue, and take the place of those
	// that it has anyway. Those that would break a promise are refused: x-overflow and
	// x-expires, which delete messages, an x-delivery-limit below 1, those of dead
	// lettering, and those that have a field of their own here. An x-message-ttl parks
	// what has waited longer. Arguments that the broker does not know it accepts and
	// ignores, so mind the spelling. Modes that do not declare the main queue
	// do not use them.
	//
	// Defaults to none.
	Arguments map[string]any

	// GroupSize is the number of replicas that each quorum queue starts with
	// (x-quorum-initial-group-size). Brokers compare it when a queue is declared again,
	// so choose it before the first time.
	//
	// Defaults to the broker's own, which is 3 unless configured otherwise.
	GroupSize int

	// SingleActive lets one consumer at a time receive, the others stand by
	// (x-single-active-consumer of the main queue).
	//
	// Defaults to false.
	SingleActive bool

	// Mode is how much is declared and how much must be there.
	//
	// Defaults to All.
	Mode Mode

	// Scheme is the shape in which a message waits and is parked.
	//
	// Defaults to Standard.
	Scheme Scheme
}

// QueueType is the type of a queue, spelled as in the argument x-queue-type.
type QueueType string

const (
	// Quorum queues are replicated and dead-letter at least once: what moves from
	// queue to queue is in one of them at any time.
	// See https://www.rabbitmq.com/docs/quorum-queues#dead-lettering.
	Quorum QueueType = "quorum"

	// Classic queues live on one node and dead-letter at most once: a message that
	// is on its way back from a retry queue is lost if the broker dies at that moment,
	// or if the main queue cannot take it (it was deleted, or it is full).
	// See https://www.rabbitmq.com/docs/dlx#safety. Nor do they count deliveries, so
	// a message that kills its consumer is delivered for ever.
	Classic QueueType = "classic"
)

// Mode is how much of a topology is declared.
type Mode int

const (
	// All declares everything. This needs the permission to configure all the
	// queues, and since they dead-letter, to read them and to write to the
	// default exchange (https://www.rabbitmq.com/docs/access-control).
	All Mode = iota

	// Satellites declares the retry queues and the error queue, and the bindings that
	// the plan lists. The main queue must be there and may have any arguments: this is
	// how a queue that existed before is adopted.
	Satellites

	// Never declares nothing, and checks that every queue is there. It is for
	// workers that may not configure anything.
	Never
)

// String returns the mode's name.
func (m Mode) String() string { return nameOf(m, "All", "Satellites", "Never") }

// Scheme is a way to make messages wait.
type Scheme int

const (
	// Standard has one retry queue for each delay, and goes through the default
	// exchange only, which is always there and cannot be deleted.
	Standard Scheme = iota

	// Bunnicula declares exactly what Bunnicula for Clojure declares, and takes the
	// same paths, so that consumers of both can share a queue. Use it to join a
	// running fleet, and Standard otherwise, because this scheme can lose messages:
	//
	//   - The exchanges that lead to the retry queue and back are transient. After
	//     a restart of the broker, what expires before a consumer has declared
	//     them again finds no exchange and is dropped.
	//   - The queues are classic and dead-letter at most once: what comes back
	//     from the retry queue while the broker dies can be lost.
	//   - The main queue does not dead-letter: a message published with an
	//     expiration that ends there is dropped, not parked.
	//   - Deliveries are not counted, so a message that kills its consumer is
	//     delivered for ever.
	//
	// There is one delay, because in a queue with several a message waits for
	// those before it. The queues are declared without a type, as Clojure does, and get
	// the virtual host's default one, which is classic unless configured otherwise.
	Bunnicula
)

// String returns the scheme's name.
func (s Scheme) String() string { return nameOf(s, "Standard", "Bunnicula") }

// nameOf is the String of an enumeration.
func nameOf[T ~int](v T, names ...string) string {
	if v < 0 || int(v) >= len(names) {
		return fmt.Sprintf("%T(%d)", v, int(v))
	}
	return names[v]
}
