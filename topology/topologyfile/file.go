package topologyfile

import (
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// File is what a file says.
type File struct {
	Consumers []Consumer
}

// Consumer is what a file says of one consumer.
type Consumer struct {
	Plan topology.Plan

	// Concurrency, Prefetch, Timeout and Grace are those of consumer.Spec; 0 is its default, and a Timeout
	// below 0 is none.
	Concurrency int
	Prefetch    int
	Timeout     time.Duration
	Grace       time.Duration

	// Topology is what the plan comes to.
	Topology topology.Topology

	// Line is where the file begins to speak of it, from 1.
	Line int
}

// Topologies are those of all consumers, in the file's order.
func (f File) Topologies() []topology.Topology {
	all := make([]topology.Topology, len(f.Consumers))
	for i, c := range f.Consumers {
		all[i] = c.Topology
	}
	return all
}
