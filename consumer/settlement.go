package consumer

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Settlement is what is done about a delivery. Process returns it to a test.
type Settlement struct {
	// Outcome is what the monitor is told. Its Action is zero if the monitor is told nothing: the
	// handler was not run, because the message came before its time, is set aside, has its hearing,
	// or is unreadable and held.
	monitoring.Outcome

	// Deed is how the delivery is settled at the broker.
	Deed Deed

	// Copy is the message that is published in place of the delivery. It is nil unless Deed is
	// DeedCopy.
	Copy *Copy
}

// Deed is how a delivery is settled at the broker.
type Deed string

// The deeds.
const (
	DeedAck    Deed = "ack"    // the delivery is acknowledged
	DeedCopy   Deed = "copy"   // a copy is published and confirmed, then it is acknowledged
	DeedReject Deed = "reject" // it is rejected without requeue: the broker dead-letters it whole
	DeedLeave  Deed = "leave"  // it stays unacked until the channel is closed, and returns then
)

// Copy is a message that is published in place of a delivery. Publishing has the delivery's body
// and properties. Its headers are the user's and the framework's.
type Copy struct {
	Queue      string // the queue that the copy ends up in
	Exchange   string // the exchange that it is published to; "" is the default exchange
	RoutingKey string // the key that it is published with
	amqp.Publishing
}

var deeds = map[decide.Deed]Deed{
	decide.DeedAck: DeedAck, decide.DeedCopy: DeedCopy, decide.DeedReject: DeedReject, decide.DeedLeave: DeedLeave,
	decide.DeedHold: DeedLeave,
}

// settlementOf returns the public form of a Settlement.
func settlementOf(s decide.Settlement) Settlement {
	public := Settlement{Outcome: s.Outcome, Deed: deeds[s.Deed]}
	if s.Copy != nil {
		public.Copy = &Copy{
			Queue: s.Copy.To.Queue, Exchange: s.Copy.To.Exchange, RoutingKey: s.Copy.To.RoutingKey, Publishing: s.Copy.Publishing,
		}
	}
	return public
}
