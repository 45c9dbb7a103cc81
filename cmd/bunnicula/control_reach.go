package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/topology"
)

// reach is whom an order reaches.
type reach struct {
	names     []string // without patterns
	processes int
}

// reachOf returns whom an order for names and patterns reaches. If no process has a consumer that
// one of them fits, that is an error, or with anyway the name is kept.
func reachOf(names []string, all []control.Process, anyway bool) (r reach, err error) {
	var none []string
	for _, name := range names {
		found := fitting(name, all)
		switch {
		case len(found) > 0:
			r.names = append(r.names, found...)
		case anyway && !isPattern(name):
			r.names = append(r.names, name)
		default:
			none = append(none, name)
		}
	}
	if len(none) > 0 {
		return r, nobody(none, all)
	}
	r.names = unique(r.names)
	for _, p := range all {
		if slices.ContainsFunc(p.Consumers, func(m control.Member) bool {
			return slices.ContainsFunc(r.names, func(name string) bool { return concerns(name, m) })
		}) {
			r.processes++
		}
	}
	return r, nil
}

// fitting returns the names that orders for a name or pattern have.
func fitting(pattern string, all []control.Process) []string {
	var names []string
	for _, p := range all {
		for _, m := range p.Consumers {
			if name := orderName(pattern, m); name != "" {
				names = append(names, name)
			}
		}
	}
	return unique(names)
}

func unique(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

// nobody is the error for consumers that no process has.
func nobody(names []string, all []control.Process) error {
	there := namesOfAll(all)
	text := "no process has told of any consumer"
	if len(there) > 0 {
		const most = 20
		more := ""
		if len(there) > most {
			more = fmt.Sprintf(" and %d more", len(there)-most)
			there = there[:most]
		}
		text = "processes have " + strings.Join(there, ", ") + more
	}
	return fmt.Errorf("no process has %s: %s", quoted(names), text)
}

func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf("%q", name))
	}
	return strings.Join(all, ", ")
}

// lifts says whether a resume for a name or pattern changes what an order for a consumer means. The
// newest of the orders for a partition and for its queue counts.
func lifts(pattern, consumer string) bool {
	if fits(pattern, consumer) {
		return true
	}
	if queue, _, ok := topology.PartitionOf(consumer); ok && fits(pattern, queue) {
		return true
	}
	queue, _, ok := topology.PartitionOf(pattern)
	return ok && queue == consumer
}

// meansConsumer says whether an order for a name is one for a consumer of which only the name of
// its queue is known.
func meansConsumer(name, consumer string) bool {
	queue, _, ok := topology.PartitionOf(consumer)
	return name == consumer || ok && name == queue
}
