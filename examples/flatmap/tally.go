package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

// Tally counts what the processes tell, and keeps what the progress says.
type Tally struct {
	Toll drill.Toll // the Fleet and the Kills write it

	mu     sync.Mutex
	counts Counts
}

// Counts are what a Tally has counted.
type Counts struct {
	Took     map[string]int // deliveries, by queue
	Memory   int            // the most that one of them had, in bytes
	Progress pipeline.Progress
	Looks    int      // at the progress
	Losses   int      // times when it could not be watched any more
	Wrong    []string // what was wrong with it

	drill.Deaths // of the workers, the database and the broker
}

// NewTally makes a Tally.
func NewTally() *Tally {
	return &Tally{counts: Counts{Took: map[string]int{}}}
}

func (t *Tally) with(f func(c *Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
}

// Took counts a delivery.
func (t *Tally) Took(queue string) { t.with(func(c *Counts) { c.Took[queue]++ }) }

// Weighed takes note of the memory of a process.
func (t *Tally) Weighed(bytes int) { t.with(func(c *Counts) { c.Memory = max(c.Memory, bytes) }) }

// Saw takes note of the progress, and of what is wrong with it.
func (t *Tally) Saw(p pipeline.Progress, wrong []string) {
	t.with(func(c *Counts) {
		c.Progress, c.Looks = p, c.Looks+1
		c.Wrong = append(c.Wrong, wrong...)
	})
}

// Blind takes note of a loss of the progress, which is then watched anew.
func (t *Tally) Blind() { t.with(func(c *Counts) { c.Losses++ }) }

// Counts copies the counts.
func (t *Tally) Counts() (c Counts) {
	t.with(func(now *Counts) {
		c = *now
		c.Took, c.Deaths = maps.Clone(now.Took), t.Toll.Deaths()
		c.Wrong = slices.Clone(now.Wrong)
	})
	return c
}

// line says how far the job is.
func (c Counts) line(o Options) string {
	var parts []string
	for _, queue := range []string{o.AccountsQueue(), o.TransactionsQueue(), o.RowsQueue()} {
		s := stage(c.Progress, queue)
		parts = append(parts, fmt.Sprintf("%s %d of %d", strings.TrimPrefix(queue, o.Prefix+"."), s.Done, s.Emitted))
	}
	text := fmt.Sprintf("%s; killed %d", strings.Join(parts, ", "), drill.Sum(c.Killed))
	if c.Progress.Complete {
		text += "; complete"
	}
	return text
}
