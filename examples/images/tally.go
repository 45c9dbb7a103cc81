package main

import (
	"fmt"
	"maps"
	"sync"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// Tally counts what the requester and the workers tell.
type Tally struct {
	mu     sync.Mutex
	counts Counts
}

// Counts are what a Tally has counted, by the ids of requests.
type Counts struct {
	Published map[string]int   // copies that the broker has confirmed
	Refused   map[string]error // why it was not published
	Notices   map[string]int
	Began     map[string]int // how often the work on it began
	Painted   map[string]int // how often its result was written

	Tries  map[string]int // the same by the language of the worker
	Took   int            // deliveries of workers
	Killed int            // workers that this run has killed
	Died   int            // workers that died on their own: of pictures
}

// NewTally makes a Tally.
func NewTally() *Tally {
	return &Tally{counts: Counts{
		Published: map[string]int{}, Refused: map[string]error{}, Notices: map[string]int{}, Began: map[string]int{}, Painted: map[string]int{}, Tries: map[string]int{},
	}}
}

func (t *Tally) with(f func(c *Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
}

// Published counts a request that is in the queue.
func (t *Tally) Published(id string) { t.with(func(c *Counts) { c.Published[id]++ }) }

// Refused counts a request that could not be published.
func (t *Tally) Refused(id string, err error) { t.with(func(c *Counts) { c.Refused[id] = err }) }

// Notice counts a notice.
func (t *Tally) Notice(id string) { t.with(func(c *Counts) { c.Notices[id]++ }) }

// Told counts what a worker tells.
func (t *Tally) Told(language, event, id string) {
	t.with(func(c *Counts) {
		switch event {
		case took:
			c.Took++
		case began:
			c.Began[id]++
			c.Tries[language]++
		case painted:
			c.Painted[id]++
		}
	})
}

// Ended counts a worker that has died.
func (t *Tally) Ended(killed bool) {
	t.with(func(c *Counts) {
		if killed {
			c.Killed++
		} else {
			c.Died++
		}
	})
}

// Counts copies the counts.
func (t *Tally) Counts() (c Counts) {
	t.with(func(now *Counts) {
		c = *now
		c.Published, c.Refused = maps.Clone(now.Published), maps.Clone(now.Refused)
		c.Notices, c.Began, c.Tries = maps.Clone(now.Notices), maps.Clone(now.Began), maps.Clone(now.Tries)
		c.Painted = maps.Clone(now.Painted)
	})
	return c
}

func (c Counts) String() string {
	return fmt.Sprintf("published %d, tries %d, notices %d, workers died %d", len(c.Published), drill.Sum(c.Began), len(c.Notices), c.Killed+c.Died)
}
