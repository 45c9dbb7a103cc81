package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/topology"
)

// workload is a case without the queue's type and the size: some work, and the ways to do it.
type workload struct {
	Name  string
	Work  string // a description for people
	Count int    // messages of 256 bytes in a quorum queue
	Quick int    // the count with -quick; 0 leaves the case out
	Fixed bool   // the case is about its count: no flag changes the count or the size

	Figure  turn.Metric   // the metric of the ratio
	Columns []turn.Metric // other metrics to print

	Preload bool            // the messages are in the queue before the work begins
	Backoff []time.Duration // the delays of the retry queues; each message fails once
	Varies  bool            // the case is also measured with other sizes and classic queues
	OnPeer  bool            // the case can run without a broker
	NoQueue bool            // the case needs a peer, which delivers from any queue
	Idle    bool            // with -peer there are no messages
	Long    bool            // the case runs only if it is selected
	Queues  int             // so many queues, each with the topology of a consumer; 0 is one

	Processes int // so many processes, which a side's own process starts; 0 is that one alone

	Sides  []side   // ours is the first
	Others []string // names of sides of other libraries: turn/others.go

	// Arguments has, by a side's name, what changes the queues that this library would declare. The
	// others leave them as they are.
	Arguments map[string]func(*topology.Topology)
}

// side is one way to do the work.
type side struct {
	Name string
	do   func(context.Context, *run) error // nil for a side of another library, which bench/others has

	// child is one of the processes that do starts, where there are several. It calls f while it is
	// subscribed.
	child func(ctx context.Context, r *run, c *child, f func() error) error
}

// variant is a case: a workload with its queue's type and size.
type variant struct {
	workload

	QueueType topology.QueueType
	Size      int
	Count     int
}

const mainSize = 256

// Name joins the workload, the queue's type and the size of a body, as in consume-16/quorum/256.
func (v variant) Name() string { return fmt.Sprintf("%s/%s/%d", v.workload.Name, v.QueueType, v.Size) }

// Warm is the number of warm-up messages.
func (v variant) Warm() int {
	if len(v.Backoff) > 0 || v.Idle {
		return 0
	}
	return max(v.Count/10, 1)
}

// isMain says whether it is the variant that exists for every workload.
func (v variant) isMain() bool { return v.QueueType == topology.Quorum && v.Size == mainSize }

// workloads returns all workloads.
func workloads() []workload {
	var all []workload
	for _, some := range [][]workload{publishWorkloads(), consumeWorkloads(), otherWorkloads(), partsWorkloads(), brokerWorkloads()} {
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

// selection says which cases run.
type selection struct {
	pattern *regexp.Regexp // nil selects all
	types   []topology.QueueType
	sizes   []int
	chosen  bool // flags gave types or sizes: each case runs with all of them
	long    bool
	quick   bool
	peer    bool
	count   int    // 0 is each case's own count
	others  string // the program bench/others; "" leaves its sides out
}

// variants returns the selected cases, in order.
func (s selection) variants() []variant {
	var selected []variant
	for _, w := range workloads() {
		if w.Long && !s.long || s.peer && !w.OnPeer || !s.peer && w.NoQueue {
			continue
		}
		for _, t := range s.types {
			for _, size := range s.sizes {
				v := variant{workload: w, QueueType: t, Size: size}
				v.Count = s.countOf(v)
				if !s.wants(v) {
					continue
				}
				if s.wantsOthers(v) {
					v.Sides = withOthers(v.workload)
				}
				selected = append(selected, v)
			}
		}
	}
	return selected
}

// wants leaves out cases that few people need, unless they are selected.
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

// wantsOthers is true for the variant that most people ask about, and for what is selected.
func (s selection) wantsOthers(v variant) bool {
	return s.others != "" && !s.peer && (v.isMain() || s.chosen)
}

// withOthers returns all sides of a workload.
func withOthers(w workload) []side {
	all := slices.Clone(w.Sides)
	for _, name := range w.Others {
		all = append(all, side{Name: name})
	}
	return all
}

// countOf returns fewer messages for larger sizes, so that each case takes about as long.
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

// unknown returns the error for a pattern that selects nothing.
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
