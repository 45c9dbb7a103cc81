package turn

import (
	"context"
	"errors"
	"fmt"
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
	Queues     int // 0 is one, which has the name Queue; of several it is the prefix
	Size       int // of a body, in bytes
	Count      int // measured messages
	Warm       int // warm-up messages
	StatsD     string
	BrokerPIDs []int // none if unknown
	Within     time.Duration
	Profile    string // the prefix of the profiles' files; "" for none
}

// QueueNames returns the names of all queues of a side.
func (o Order) QueueNames() []string {
	if o.Queues == 0 {
		return []string{o.Queue}
	}
	names := make([]string, o.Queues)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", o.Queue, i)
	}
	return names
}

// Context returns a context that ends when a side has taken too long.
func (o Order) Context() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.Background(), o.Within, errTooSlow)
}

var errTooSlow = errors.New("it took too long")

// Report is the answer of a side's process, as JSON on its stdout.
type Report struct {
	Sample Sample `json:",omitempty"`
	Error  string `json:",omitempty"`
}
