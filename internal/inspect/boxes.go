package inspect

import (
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

// box is what a diagram draws once for all partitions of a queue: their main queues, or their retry
// queues of one delay, which have the same suffix.
type box struct{ of, suffix string }

// member is a queue of a partition.
type member struct {
	box
	number int // the partition's
	name   string
}

// membersOf returns the queues of a partition, without an error queue that others share. A consumer
// with bindings is no partition, whatever its name.
func membersOf(t topology.Topology) (all []member) {
	main := route.Main(t).Queue
	of, number, is := topology.PartitionOf(main)
	if !is || len(t.Bindings) > 0 {
		return nil
	}
	for _, q := range t.Queues {
		if suffix, its := strings.CutPrefix(q.Name, main); its {
			all = append(all, member{box{of, suffix}, number, q.Name})
		}
	}
	return all
}

// labelsOf returns what is written on the boxes of partitions, by the names of the queues in them.
// A queue that is alone in its box has no label.
func labelsOf(topologies []topology.Topology) map[string]string {
	boxes := map[box][]member{}
	for _, t := range topologies {
		for _, m := range membersOf(t) {
			boxes[m.box] = append(boxes[m.box], m)
		}
	}
	labels := map[string]string{}
	for b, members := range boxes {
		if len(members) == 1 {
			continue
		}
		first, last := members[0], members[0]
		for _, m := range members {
			if m.number < first.number {
				first = m
			}
			if m.number > last.number {
				last = m
			}
		}
		what := "partitions"
		if b.suffix != "" {
			what = "queues"
		}
		for _, m := range members {
			labels[m.name] = fmt.Sprintf("%s … %s (%d %s)", first.name, last.name, len(members), what)
		}
	}
	return labels
}
