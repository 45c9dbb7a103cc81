package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/topology"
)

// targets returns the names that the command is for. also are names that have standing orders:
// whoever resumes what nobody has now knows it from there.
func (c Command) targets(all []Process, also []string) ([]string, error) {
	there := namesIn(all)
	known := maps.Clone(there)
	for _, name := range also {
		known[name] = true
	}
	found := map[string]bool{}
	var unknown []string
	for _, want := range c.Consumers {
		names := named(want, known)
		if len(names) == 0 && c.Anyway && !strings.Contains(want, "*") {
			names = []string{want}
		}
		if len(names) == 0 {
			unknown = append(unknown, want)
		}
		for _, name := range names {
			found[name] = true
		}
	}
	if unknown != nil {
		return nil, &UnknownError{unknown, slices.Sorted(maps.Keys(there))}
	}
	shareOut(found, all, also)
	targets := slices.Sorted(maps.Keys(found))
	if len(targets) > maxConsumers {
		return nil, fmt.Errorf("control: the command is for %d consumers, want %d at most", len(targets), maxConsumers)
	}
	return targets, nil
}

// shareOut has an order for a queue be one for each of its partitions, whatever stood for one of
// them. A partition for which nothing stands needs no order of its own.
func shareOut(found map[string]bool, all []Process, standing []string) {
	queues := queuesOf(all)
	for name, queue := range queues {
		if found[queue] {
			delete(found, name)
		}
	}
	for _, name := range standing {
		queue, known := queues[name]
		if !known {
			queue, _, _ = topology.PartitionOf(name)
		}
		if found[queue] {
			found[name] = true
		}
	}
}

// queuesOf returns, by the names of consumers, the queue that all of that name consume a partition
// of, or "".
func queuesOf(all []Process) map[string]string {
	queues := map[string]string{}
	for _, p := range all {
		for _, m := range p.Consumers {
			if queue, known := queues[m.Name]; known && queue != m.Partitions {
				m.Partitions = ""
			}
			queues[m.Name] = m.Partitions
		}
	}
	return queues
}

// namesIn returns the names of all consumers, and of the queues of which they are partitions.
func namesIn(all []Process) map[string]bool {
	names := map[string]bool{}
	for _, p := range all {
		for _, m := range p.Consumers {
			names[m.Name] = true
			if m.Partitions != "" {
				names[m.Partitions] = true
			}
		}
	}
	return names
}

// named returns the known names that a name or a pattern is for.
func named(want string, known map[string]bool) (names []string) {
	for name := range known {
		if name == want || strings.Contains(want, "*") && matches(want, name) {
			names = append(names, name)
		}
	}
	return names
}

// matches says whether a name fits a pattern, in which * is any text and nothing else is special.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, parts[last])
}
