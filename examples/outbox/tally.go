package main

import (
	"fmt"
	"maps"
	"sync"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// Answer is what the service has said of an order.
type Answer int

// The answers.
const (
	Accepted Answer = iota + 1 // 201, or 200 when it was asked again
	Rejected                   // 422
)

// Tally counts what the clients get and the processes tell.
type Tally struct {
	Toll drill.Toll // the Fleet and the Kills write it

	mu     sync.Mutex
	counts Counts
}

// Counts are what a Tally has counted.
type Counts struct {
	Answers  map[string]Answer // by order
	Requests int               // with those that were repeated
	Known    int               // orders that were placed by a request without an answer
	Took     map[string]int    // deliveries, by what they are for

	drill.Deaths // of the processes, the broker and the database's sessions
}

// NewTally makes a Tally.
func NewTally() *Tally {
	return &Tally{counts: Counts{Answers: map[string]Answer{}, Took: map[string]int{}}}
}

func (t *Tally) with(f func(c *Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
}

// Asked counts a request.
func (t *Tally) Asked() { t.with(func(c *Counts) { c.Requests++ }) }

// Answered counts an answer. One to an order that had been placed before says that it was known.
func (t *Tally) Answered(order string, a Answer, known bool) {
	t.with(func(c *Counts) {
		c.Answers[order] = a
		if known {
			c.Known++
		}
	})
}

// Took counts a delivery.
func (t *Tally) Took(what string) { t.with(func(c *Counts) { c.Took[what]++ }) }

// Counts copies the counts.
func (t *Tally) Counts() (c Counts) {
	t.with(func(now *Counts) {
		c = *now
		c.Deaths = t.Toll.Deaths()
		c.Answers, c.Took = maps.Clone(now.Answers), maps.Clone(now.Took)
	})
	return c
}

// answered counts the orders with this answer.
func (c Counts) answered(a Answer) (n int) {
	for _, one := range c.Answers {
		if one == a {
			n++
		}
	}
	return n
}

func (c Counts) String() string {
	return fmt.Sprintf("accepted %d, rejected %d, deliveries: invoices %d, mails %d; killed %d",
		c.answered(Accepted), c.answered(Rejected), c.Took["invoice"], c.Took["mail"], drill.Sum(c.Killed))
}
