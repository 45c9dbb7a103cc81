// Package decide says what is to be done about a delivery. Its functions take values and return
// values. They know no clock, no random source, no host and no channel, and equal inputs give equal
// outputs.
//
// Each delivery is decided about [Before] its handler runs and, if it runs, [After] that.
package decide

import (
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Settlement is what is to be done about a delivery.
type Settlement struct {
	Deed Deed

	// Outcome is what the monitor is told. Its Action is zero if the monitor is told nothing: the
	// handler did not run, and the message comes again.
	Outcome monitoring.Outcome

	// Stretched is the delay that the handler has asked for, if the message waits ten times as long or
	// more because no retry queue is shorter. Else it is 0.
	Stretched time.Duration

	// Copy is what is published and confirmed before the ack. It is nil unless the Deed is
	// DeedCopy.
	Copy *Copy
}

// Deed is how a delivery is settled at the broker.
type Deed int

// The deeds.
const (
	// DeedAck acknowledges the message.
	DeedAck Deed = iota + 1
	// DeedCopy publishes a copy, waits for its confirm and then acknowledges the message.
	DeedCopy
	// DeedReject rejects the message without requeue. The broker dead-letters it as it is.
	DeedReject
	// DeedLeave leaves the message unacknowledged. It is the broker's again when the channel is
	// closed.
	DeedLeave
	// DeedHold leaves a message that can neither be settled nor lost. It says so: the consumer is
	// not ready meanwhile.
	DeedHold
)
