package decide

import (
	"time"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Rules are what is fixed for a consumer. Nobody writes them after New.
type Rules struct {
	Consumer string // the Spec's Name
	Queue    string

	MaxRetries int // retries; 0 is none
	Backoff    []time.Duration
	MaxCrashes int
	Topology   topology.Topology

	// Quarantine is the way to the quarantine queue. It is zero where the crash guard is off: the queue
	// counts no deliveries, or keeps an order that the guard would break.
	Quarantine route.Destination
	// KeepsPlace says that an interrupted message must keep its place in the queue: its consumer is a
	// single active one.
	KeepsPlace bool
	// Rejects says that a rejected message is dead-lettered at least once.
	Rejects bool

	// Hearing is how long a message that has crashed too often waits for a process that knows better.
	Hearing time.Duration

	App, Version, Host string // of parked messages
}

// Given is what a decision needs of the world.
type Given struct {
	Now  time.Time
	User string // the connection's
	ID   string // for the copy of a message that came without a message id
}

func (r *Rules) guarded() bool { return r.Quarantine.Queue != "" }
