package jobtree

import (
	"cmp"
	"slices"
)

// Tree is the union of the reports of one job. A report that is added twice, late or in another
// order changes nothing. Of two reports of one node, from two attempts, the larger number counts
// for each stage, and all keys and the continuation: the outputs of both are confirmed.
//
// Its memory depends on the nodes that have grandchildren or keys, or of whose children some are
// done and others not. All others are runs of numbers. One goroutine at a time may use it.
type Tree struct {
	root    node
	missing int // nodes that are promised and not reported
	stages  map[string]*stage
	shapes  shapes
	trail   []visit // of the Add that runs, or of the last one
}

// Stage is the progress of one stage. Done may exceed Emitted: an attempt that failed has no
// report, and may have emitted more than the one that followed it.
type Stage struct {
	Queue   string
	Emitted int // nodes that a report promises
	Done    int // nodes that are reported
}

type stage struct {
	Stage
	depth int // of its highest node
}

// New returns a Tree without reports.
func New() *Tree {
	return &Tree{stages: map[string]*stage{}, shapes: newShapes()}
}

// Started says whether the start of the job is reported: all of its items are emitted.
func (t *Tree) Started() bool { return t.root.reported }

// Complete says whether the start and every node that a report promises is reported.
func (t *Tree) Complete() bool { return t.root.reported && t.missing == 0 }

// Stages returns the progress of each stage. Those nearer to the start come first.
func (t *Tree) Stages() []Stage {
	all := make([]*stage, 0, len(t.stages))
	for _, s := range t.stages {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *stage) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.Queue, b.Queue))
	})
	progress := make([]Stage, len(all))
	for i, s := range all {
		progress[i] = s.Stage
	}
	return progress
}

// stage returns the stage of a queue, of which a node has this depth.
func (t *Tree) stage(queue string, depth int) *stage {
	s, ok := t.stages[queue]
	if !ok {
		s = &stage{Stage{Queue: queue}, depth}
		t.stages[queue] = s
	}
	s.depth = min(s.depth, depth)
	return s
}
