package control

import "github.com/bunnicula-go/bunnicula/monitoring"

// What says what an event is about. It is the last word of the event's routing key.
type What string

// The events. A message can be told of by two of them: one that is parked at its first attempt
// after a redrive is parked and redriven.
const (
	// Retried: an attempt failed, and the message waits for the next one.
	Retried What = "retried"

	// Parked: the message was given up and is in the error queue. What the broker itself has put
	// there, because it expired for example, has no event.
	Parked What = "parked"

	// Redriven: a message that came back from the error queue has had its first attempt since, and
	// Event.Action says how that ended: acked, retried or parked. If it was retried, and is acked
	// later, there is a second Redriven for that. So each redriven message has an event of the
	// action acked or parked in the end. Its consumer publishes it; who redrives publishes none.
	Redriven What = "redriven"

	// Recovered: a message that had failed, or was redriven, was acked. It is published only if
	// EventsConfig.What has it.
	Recovered What = "recovered"
)

// Whats are all events that this version knows.
var Whats = []What{Retried, Parked, Redriven, Recovered}

// fits says whether an outcome is such an event.
func (w What) fits(d *monitoring.Delivery, o *monitoring.Outcome) bool {
	switch w {
	case Retried:
		return o.Action == monitoring.Retried
	case Parked:
		return o.Action == monitoring.Parked
	case Redriven:
		failed := o.Action == monitoring.Retried || o.Action == monitoring.Parked
		return d.RedriveCount > 0 && (o.Action == monitoring.Acked || failed && d.Attempt == 1)
	case Recovered:
		return o.Action == monitoring.Acked && (d.Attempt > 1 || d.RedriveCount > 0)
	}
	return false
}
