package snapshot

import "time"

// Phase is what a Reading does at the moment.
type Phase string

// The phases.
const (
	Idle    Phase = "idle"    // no pass runs
	Waiting Phase = "waiting" // a pass waits for the queue, which somebody else may be reading
	Running Phase = "running" // a pass reads

	// GivingBack: a pass has read all, and its messages go back to the queue.
	GivingBack Phase = "giving back"

	// Closed: nobody has looked for 30 minutes, or the Store is closed. Open the queue anew.
	Closed Phase = "closed"
)

// Progress says how far a Reading is. The fields of the pass are those of the one that runs, or
// else of the last one.
type Progress struct {
	Phase Phase

	Read  int           // by the pass, so far
	Of    int           // messages in the queue when the pass began, -1 if unknown
	Began time.Time     // zero before the first pass
	Took  time.Duration // so far
	Err   error         // what ended the pass before it had read all

	Depth   int       // messages in the queue when it was asked last, -1 if unknown
	DepthAt time.Time // zero if it was never asked
	// Ask says that no pass began by itself: the queue is long, readings are scarce, or an operation
	// runs on it.
	Ask bool
}
