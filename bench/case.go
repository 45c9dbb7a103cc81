package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// workload is a case before its queue's type and its size are chosen: some work, and the ways to do it.
type workload struct {
	Name  string
	Work  string // what is done, for people
	Count int    // messages, of 256 bytes and in a quorum queue
	Quick int    // of -quick; 0 leaves it out there
	Fixed bool   // the count is what it is about: nothing changes it, nor the size

	Figure  metric   // that the ratio is of
	Columns []metric // what else is shown

	Preload bool            // the messages are in the queue before it begins
	Backoff []time.Duration // of the queues
	Varies  bool            // it is also measured with other sizes, and classic queues
	OnPeer  bool            // it makes sense without a broker
	Idle    bool            // on a peer, there are no messages
	Long    bool            // it runs only when it is asked for

	Sides []side // ours is the first
}

// side is a way to do the work.
type side struct {
	Name string
	do   func(context.Context, *run) error
}

// variant is a case: a workload with its queue's type and size.
type variant struct {
	workload

	QueueType topology.QueueType
	Size      int
	Count     int
}

const mainSize = 256

// Name is the workload's, the queue's type and the size of a body, as in consume-16/quorum/256.
func (v variant) Name() string { return fmt.Sprintf("%s/%s/%d", v.workload.Name, v.QueueType, v.Size) }

// Warm is how many messages come before those that are measured.
func (v variant) Warm() int {
	if len(v.Backoff) > 0 || v.Idle {
		return 0
	}
	return max(v.Count/10, 1)
}

// isMain says whether it is the variant that every workload has.
func (v variant) isMain() bool { return v.QueueType == topology.Quorum && v.Size == mainSize }

// workloads are all there are.
func workloads() []workload {
	var all []workload
	for _, some := range [][]workload{publishWorkloads(), consumeWorkloads(), otherWorkloads()} {
		all = append(all, some...)
	}
	return all
}

func findCase(name string) (workload, bool) {
	for _, w := range workloads() {
		if w.Name == name {
			return w, true
		}
	}
	return workload{}, false
}

// selection is which cases run.
type selection struct {
	pattern *regexp.Regexp // nil is all
	types   []topology.QueueType
	sizes   []int
	chosen  bool // types or sizes were given: each case has all of them
	long    bool
	quick   bool
	peer    bool
	count   int // 0 is each case's own
}

// variants are the cases that are selected, in order.
func (s selection) variants() []variant {
	var selected []variant
	for _, w := range workloads() {
		if w.Long && !s.long || s.peer && !w.OnPeer {
			continue
		}
		for _, t := range s.types {
			for _, size := range s.sizes {
				v := variant{workload: w, QueueType: t, Size: size}
				v.Count = s.countOf(v)
				if s.wants(v) {
					selected = append(selected, v)
				}
			}
		}
	}
	return selected
}

// wants leaves out, unless it was asked for, what few would look at.
func (s selection) wants(v variant) bool {
	switch {
	case s.pattern != nil && !s.pattern.MatchString(v.Name()),
		s.quick && v.Quick == 0 && !v.Idle,
		v.Fixed && v.Size != mainSize:
		return false
	}
	switch {
	case s.chosen, v.isMain():
		return true
	case s.quick, s.peer:
		return false
	}
	return v.Varies && (v.QueueType == topology.Quorum || v.Size == mainSize)
}

// countOf is smaller for larger messages, so that a case takes about as long.
func (s selection) countOf(v variant) int {
	switch {
	case v.Idle:
		return 0
	case v.Fixed:
		return v.workload.Count
	case s.count > 0:
		return s.count
	}
	n := v.workload.Count
	if s.quick {
		n = v.Quick
	}
	switch {
	case v.Size > 64<<10:
		n /= 40
	case v.Size > 1<<10, v.QueueType == topology.Classic:
		n /= 2
	}
	return max(n, 100)
}

// unknown is the error for a pattern that selects nothing.
func (s selection) unknown() error {
	names := make([]string, 0, len(workloads()))
	for _, w := range workloads() {
		names = append(names, w.Name)
	}
	hint := ""
	if !s.long {
		hint = "; some need -long"
	}
	if s.peer {
		hint += "; some cannot run on -peer"
	}
	return fmt.Errorf("-run %q selects no case (there are %s%s)", s.pattern, strings.Join(names, ", "), hint)
}
