package consumer

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Settlement is what is done about a delivery, as Process tells a test.
type Settlement struct {
	// Outcome is what the monitor is told. Its Action is zero where the monitor is told nothing: the
	// handler was not run, and the message comes again. The message came before its time, or is set aside
	// to be handled alone.
	monitoring.Outcome

	// Deed is how the delivery is settled at the broker.
	Deed Deed

	// Copy is the message that is published in its place; nil unless Deed is DeedCopy.
	Copy *Copy
}

// Deed is how a delivery is settled at the broker.
type Deed string

// The deeds.
const (
	DeedAck    Deed = "ack"    // acknowledged
	DeedCopy   Deed = "copy"   // a copy is published and confirmed, and then it is acknowledged
	DeedReject Deed = "reject" // rejected without requeue: the broker dead-letters it whole
	DeedLeave  Deed = "leave"  // left to the broker, which has it back when the channel closes
)

// Copy is a message that is published in place of a delivery. Its headers are the user's and the
// framework's.
type Copy struct {
	Queue      string // that the copy ends up in
	Exchange   string // that it is published to; "" is the default exchange
	RoutingKey string
	amqp.Publishing
}

var deeds = map[decide.Deed]Deed{
	decide.DeedAck: DeedAck, decide.DeedCopy: DeedCopy, decide.DeedReject: DeedReject, decide.DeedLeave: DeedLeave,
}

func settlementOf(s decide.Settlement) Settlement {
	public := Settlement{Outcome: s.Outcome, Deed: deeds[s.Deed]}
	if s.Copy != nil {
		public.Copy = &Copy{
			Queue: s.Copy.To.Queue, Exchange: s.Copy.To.Exchange, RoutingKey: s.Copy.To.RoutingKey, Publishing: s.Copy.Publishing,
		}
	}
	return public
}
