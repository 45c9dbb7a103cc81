package turn

import (
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Env is the environment variable with the order, as JSON. A program that has it plays that side
// and does nothing else.
const Env = "BUNNICULA_BENCH_SIDE"

// Order tells a side's process what to do.
type Order struct {
	Case, Side string
	URL, Queue string
	QueueType  topology.QueueType
	Size       int // of a body, in bytes
	Count      int // measured messages
	Warm       int // warm-up messages
	StatsD     string
	BrokerPIDs []int // none if unknown
	Within     time.Duration
	Profile    string // the prefix of the profiles' files; "" for none
}

// Report is the answer of a side's process, as JSON on its stdout.
type Report struct {
	Sample Sample `json:",omitempty"`
	Error  string `json:",omitempty"`
}
