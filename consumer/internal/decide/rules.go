package decide

import (
	"time"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Rules are what is fixed for a consumer. They are immutable after consumer.New.
type Rules struct {
	Consumer string // Spec.Name
	Queue    string

	MaxRetries int // retries; 0 is none
	Backoff    []time.Duration
	MaxCrashes int
	Topology   topology.Topology

	// Quarantine leads to the quarantine queue. It is zero where the crash guard is off: the queue
	// counts no deliveries, or keeps an order that the guard would break.
	Quarantine route.Destination
	// KeepsPlace says that an interrupted message must keep its place in the queue, because the
	// consumer is a single active one.
	KeepsPlace bool
	// Rejects says that a rejected message is dead-lettered at least once, as far as arguments tell.
	Rejects bool

	// Hearing is how long a message that has crashed too often goes round the quarantine queue
	// before it is parked.
	Hearing time.Duration

	App, Version, Host string // for the headers of parked messages
}

// Given is what a decision cannot find out by itself, and is told.
type Given struct {
	Now  time.Time
	User string // the user name that the connection has logged in with

	// Degraded says that the main queue is known not to dead-letter at least once, whatever its
	// arguments say.
	Degraded bool
	// Fits is how many bytes of headers and properties fit a frame of the broker. 0 means
	// wire.MaxProperties.
	Fits int
}

// rejects returns whether a message may be rejected, because the broker is known to park it.
func (r *Rules) rejects(g Given) bool { return r.Rejects && !g.Degraded }

// guarded returns whether the crash guard is on.
func (r *Rules) guarded() bool { return r.Quarantine.Queue != "" }
