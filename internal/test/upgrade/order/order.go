// Package order is what a rolling upgrade is tested with: messages that say what their handler is
// to do, the consumers that handle them, and the journal that handlers keep. Workers of both
// versions are compiled with it.
package order

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Order is a message's body.
type Order struct {
	Lane string // the name of a Spec
	N    int
	Do   string
	Due  int64 `json:",omitempty"` // of one that is Delayed: when, in milliseconds since 1970
}

// What an Order asks of its handler.
const (
	Ack     = "ack"
	Retry   = "retry"   // twice, then Ack
	Always  = "always"  // Retry, until no attempt is left
	Error   = "error"   // parked at once
	Snooze  = "snooze"  // once in each process, then Ack
	Slow    = "slow"    // takes a while, then Ack
	Forward = "forward" // publishes Order N+Forwarded, then Ack
	Kill    = "kill"    // ends its process
	Delayed = "delayed" // was published with a delay: Ack, and no handler may begin before it is Due
)

// Forwarded is added to the N of an Order to get that of the one that its handler publishes.
const Forwarded = 1_000_000

// Limits of all consumers.
const (
	MaxRetries = 3
	MaxCrashes = 5
)

// Headers are those of a message. A copy carries each in its type.
func Headers(n int) amqp.Table {
	return amqp.Table{
		"n": int64(n), "int16": int16(-7), "float": 1.5, "text": "Grüße", "bytes": []byte{0, 255},
		"decimal": amqp.Decimal{Scale: 2, Value: 1999}, "nested": amqp.Table{"list": []any{int32(1), "two", true}},
	}
}

// Entry is a line of a journal.
type Entry struct {
	Order
	At      time.Time
	Version string // of the worker
	Attempt int
	Said    string // "" when the handler begins
	Altered string `json:",omitempty"` // what of the message is not as it was published
}

// Specs are the consumers, without their handlers, by name. The names of their queues begin with
// base.
func Specs(base string) map[string]consumer.Spec {
	specs := map[string]consumer.Spec{}
	for _, lane := range []string{"standard", "single", "classic", "bunnicula"} {
		specs[lane] = consumer.Spec{
			Queue: base + "-" + lane, MaxRetries: MaxRetries, MaxCrashes: MaxCrashes, Concurrency: 4, Prefetch: 10,
			Backoff: []time.Duration{200 * time.Millisecond, 500 * time.Millisecond},
			Delays:  []time.Duration{time.Second}, // of the Ladder
		}
	}
	change := func(lane string, change func(*consumer.Spec)) {
		s := specs[lane]
		change(&s)
		specs[lane] = s
	}
	change("single", func(s *consumer.Spec) { s.SingleActive = true })
	change("classic", func(s *consumer.Spec) { s.QueueType = topology.Classic })
	change("bunnicula", func(s *consumer.Spec) {
		s.Scheme, s.Backoff, s.Delays = topology.Bunnicula, []time.Duration{200 * time.Millisecond}, nil
	})
	return specs
}
