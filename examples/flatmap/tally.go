package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/bunnicula-go/bunnicula/pipeline"
)

// Tally counts what the processes tell, and keeps what the progress says.
type Tally struct {
	mu     sync.Mutex
	counts Counts
}

// Counts are what a Tally has counted.
type Counts struct {
	Took     map[string]int // deliveries, by queue
	Killed   map[string]int // by what was killed
	Missed   map[string]int // kills that failed, by what was to be killed
	Died     int            // processes that ended on their own
	Memory   int            // the most that one of them had, in bytes
	Progress pipeline.Progress
	Looks    int      // at the progress
	Losses   int      // times when it could not be watched any more
	Wrong    []string // what was wrong with it
}

// NewTally makes a Tally.
func NewTally() *Tally {
	return &Tally{counts: Counts{Took: map[string]int{}, Killed: map[string]int{}, Missed: map[string]int{}}}
}

func (t *Tally) with(f func(c *Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
}

// Took counts a delivery.
func (t *Tally) Took(queue string) { t.with(func(c *Counts) { c.Took[queue]++ }) }

// Killed counts a kill.
func (t *Tally) Killed(what string) { t.with(func(c *Counts) { c.Killed[what]++ }) }

// Missed counts a kill that failed.
func (t *Tally) Missed(what string) { t.with(func(c *Counts) { c.Missed[what]++ }) }

// Died counts a process that was not killed.
func (t *Tally) Died() { t.with(func(c *Counts) { c.Died++ }) }

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
		c.Took, c.Killed, c.Missed = maps.Clone(now.Took), maps.Clone(now.Killed), maps.Clone(now.Missed)
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
	text := fmt.Sprintf("%s; killed %d", strings.Join(parts, ", "), sum(c.Killed))
	if c.Progress.Complete {
		text += "; complete"
	}
	return text
}

// kills says what was killed, and what of this many kills was missed.
func (c Counts) kills(planned int) string {
	text := byName(c.Killed)
	if len(c.Missed) > 0 {
		text += "; missed, as the kill failed: " + byName(c.Missed)
	}
	if rest := planned - sum(c.Killed) - sum(c.Missed); rest > 0 {
		text += fmt.Sprintf("; missed, as the work was over: %d", rest)
	}
	return strings.TrimPrefix(text, "; ")
}

func sum(counts map[string]int) (n int) {
	for _, one := range counts {
		n += one
	}
	return n
}

// byName is "1 broker, 4 worker", for example.
func byName(counts map[string]int) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(texts, ", ")
}
