package topologyfile

import (
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// File is the content of a topology file.
type File struct {
	Consumers []Consumer
}

// Consumer is one entry of a topology file.
type Consumer struct {
	Plan topology.Plan

	// Concurrency, Prefetch, Timeout and Grace are those of consumer.Spec. 0 is its default; a
	// Timeout below 0 is none.
	Concurrency int
	Prefetch    int
	Timeout     time.Duration
	Grace       time.Duration

	// Topology is the plan's topology.
	Topology topology.Topology

	// Line is the entry's first line, from 1.
	Line int
}

// Topologies returns the topologies of all consumers, in the file's order.
func (f File) Topologies() []topology.Topology {
	all := make([]topology.Topology, len(f.Consumers))
	for i, c := range f.Consumers {
		all[i] = c.Topology
	}
	return all
}
