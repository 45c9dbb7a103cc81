package inspect

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Consumer is a consumer as its queues show it, the main queue first.
type Consumer struct {
	Name    string
	Queues  []Expected
	Unnamed bool // nothing has named its retry queues, which it may have
}

// Expected is a queue that a consumer has, or may have.
type Expected struct {
	Name  string
	Role  topology.Role
	Delay time.Duration // of a retry queue
	Maybe bool          // the queue need not exist
}

// FromTopology returns a consumer with all queues of a topology.
func FromTopology(t topology.Topology) Consumer {
	c := Consumer{}
	for _, q := range t.Queues {
		if q.Role == topology.RoleMain {
			c.Name = q.Name
		}
		c.Queues = append(c.Queues, Expected{Name: q.Name, Role: q.Role, Delay: q.Delay})
	}
	return c
}

// FromName returns a consumer with the default queues for this main queue, and with retry queues
// for these delays.
func FromName(queue string, delays []time.Duration) Consumer {
	c := Consumer{Name: queue, Unnamed: len(delays) == 0, Queues: []Expected{{Name: queue, Role: topology.RoleMain}}}
	for _, d := range delays {
		c.Queues = append(c.Queues, Expected{Name: topology.RetryQueue(queue, d), Role: topology.RoleRetry, Delay: d, Maybe: true})
	}
	parks := queue
	if of, _, ok := topology.PartitionOf(queue); ok {
		parks = of // partitions share an error queue
	}
	return c.with(topology.RoleQuarantine, topology.QuarantineQueue(queue)).with(topology.RoleError, topology.ErrorQueue(parks))
}

func (c Consumer) with(role topology.Role, queue string) Consumer {
	c.Queues = append(c.Queues, Expected{Name: queue, Role: role, Maybe: true})
	return c
}

// FromQueues finds consumers by the names of all queues. A queue is a consumer's main queue if
// there is an error, quarantine or retry queue with its name as the prefix. Other queues are left
// out.
func FromQueues(names []string) []Consumer {
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	delays := map[string][]time.Duration{}
	found := map[string]bool{}
	for _, name := range names {
		if main, delay, ok := CutRetry(name); ok && there[main] {
			delays[main] = append(delays[main], delay)
			found[main] = true
		}
		of, _, _ := topology.PartitionOf(name)
		found[name] = found[name] || of != "" && there[topology.ErrorQueue(of)]
		for _, derived := range []string{topology.ErrorQueue(name), topology.QuarantineQueue(name)} {
			found[name] = found[name] || there[derived]
		}
	}
	var consumers []Consumer
	for _, main := range slices.Sorted(maps.Keys(found)) {
		if !found[main] {
			continue
		}
		slices.SortFunc(delays[main], cmp.Compare[time.Duration])
		c := FromName(main, delays[main])
		c.Queues = slices.DeleteFunc(c.Queues, func(q Expected) bool { return !there[q.Name] })
		consumers = append(consumers, c)
	}
	return consumers
}

// Complete adds the retry queues that exist to consumers whose retry queues nothing has named. If
// there are no consumers, it returns those that it finds. names are those of all queues.
func Complete(consumers []Consumer, names []string) []Consumer {
	if len(consumers) == 0 {
		return FromQueues(names)
	}
	delays := map[string][]time.Duration{}
	for _, name := range names {
		if main, delay, ok := CutRetry(name); ok {
			delays[main] = append(delays[main], delay)
		}
	}
	complete := slices.Clone(consumers)
	for i, c := range complete {
		if c.Unnamed {
			complete[i] = FromName(c.Name, slices.Sorted(slices.Values(delays[c.Name])))
		}
	}
	return complete
}

// CutRetry splits the name of a retry queue.
func CutRetry(name string) (main string, delay time.Duration, ok bool) {
	i := strings.LastIndex(name, "-retry-")
	if i < 1 {
		return "", 0, false
	}
	delay, err := ParseDelay(name[i+len("-retry-"):])
	return name[:i], delay, err == nil
}
