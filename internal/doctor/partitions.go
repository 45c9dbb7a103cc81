package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// pageKeys is where a partition that stands still is explained.
const pageKeys = "docs/OPERATIONS.md#a-key-is-stuck"

// family returns the partitions that a queue is one of, nil if it is none of those examined.
func (f Facts) family(queue string) *inspect.Partitions {
	of, _, ok := topology.PartitionOf(queue)
	for i := range f.Partitions {
		if ok && f.Partitions[i].Queue == of {
			return &f.Partitions[i]
		}
	}
	return nil
}

// partitions returns findings about the partitions of queues.
func partitions(f Facts) []Finding {
	var found []Finding
	for _, family := range f.Partitions {
		for _, p := range family.All {
			if finding, ok := f.partition(p, family.N); ok {
				found = append(found, finding)
			}
		}
		found = append(found, f.errorQueues(family)...)
	}
	return found
}

// partition returns the finding about one partition of n.
func (f Facts) partition(p inspect.Partition, n int) (Finding, bool) {
	subject := "queue " + p.Queue
	waits := known0(p.Ready) + known0(p.Unacked) + known0(p.Retrying)
	severity := Warning
	if waits > 0 {
		severity = Serious
	}
	switch p.Trouble {
	case inspect.PartitionMissing:
		return Finding{Serious, "partition-missing", subject, "it is not there, and other partitions are",
			"What is published with a key of this partition is refused as unroutable. A consumer declares it when it starts, so somebody has deleted it.",
			"Start a process with its consumer again.", pageKeys}, true
	case inspect.PartitionNobody:
		if f.paused(p.Queue) {
			return Finding{}, false // the pause is the finding
		}
		return Finding{severity, "partition-nobody", subject, "nobody consumes it" + waiting1(waits),
			"Its keys stand still; those of other partitions go on.", "Start the consumers of Partitioned, or see in their log and at /readyz why they do not consume.", pageKeys}, true
	case inspect.PartitionIdle:
		return Finding{severity, "partition-idle", subject, fmt.Sprintf("consumers: %d, and none of them is active%s", known0(p.Subscribed), waiting1(waits)),
			"The broker delivers to the active one alone. Its keys stand still.", "Stop and start one of the processes; if that does not help, see the broker's log.", pageKeys}, true
	case inspect.PartitionGone:
		return Finding{Serious, "partition-gone", subject, fmt.Sprintf("it is held by consumer %s, which does not exist%s", p.Gone.Tag, waiting1(waits)),
			"The broker takes it for the active one, and delivers to nobody else. RabbitMQ 4.3 does so if a consumer with a higher priority subscribed and ended while this one had messages, and then this one ended.",
			"It goes on when its consumer timeout has passed. To go on now start its leader, on node " + cmp.Or(p.Gone.Node, "of the queue") + ", again. It is rarer with the default Prefetch of 1, and does not happen where all processes set one Priority in the Spec of Partitioned.", pageKeys}, true
	case inspect.PartitionLeft:
		if waits == 0 {
			return Finding{Note, "partition-left", subject, fmt.Sprintf("it is left over, since there are %d partitions now", n),
				"Nothing is published to it any more.", "Delete it when no process has the larger n.", pageKeys}, true
		}
		return Finding{Serious, "partition-left", subject, fmt.Sprintf("it is left over, since there are %d partitions now, and %s in it", n, messages(waits)),
			"Nobody handles them, and later messages with their keys are in other partitions.", "Start consumers with the larger n until it is empty, then delete it.", pageKeys}, true
	case inspect.PartitionShared:
		return Finding{Serious, "partition-shared", subject, "it is a partition, and has no single active consumer" + waiting1(waits),
			"Several processes take its messages at once, so nothing of a key is in order.", "Drain and delete it, and let consumer.Partitioned declare it.", pageKeys}, true
	}
	return Finding{}, false
}

func waiting1(n int) string {
	if n == 0 {
		return ""
	}
	return ", and " + messages(n) + " in it"
}

// errorQueues returns a finding if partitions of one queue park in different queues.
func (f Facts) errorQueues(family inspect.Partitions) []Finding {
	by := map[string][]string{}
	for _, c := range f.Consumers {
		if of, _, ok := topology.PartitionOf(c.Plan.Queue); ok && of == family.Queue && !c.Guessed {
			for _, q := range c.Topology.Queues {
				if q.Role == topology.RoleError {
					by[q.Name] = append(by[q.Name], c.Plan.Queue)
				}
			}
		}
	}
	if len(by) < 2 && f.Known != nil {
		by = inspect.Unequal(family.Queue, f.Known.Queues)
	}
	if len(by) < 2 {
		return nil
	}
	return []Finding{{Warning, "partition-errors", "queue " + family.Queue, "its partitions park in different queues: " + strings.Join(slices.Sorted(maps.Keys(by)), ", "),
		"Who looks at one of them misses what the others parked, and a redrive in order takes all of a key.", "Give all of them one ErrorQueue, as consumer.Partitioned does, and move what is parked.", pageKeys}}
}
