package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
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
	mu     sync.Mutex
	counts Counts
}

// Counts are what a Tally has counted.
type Counts struct {
	Answers  map[string]Answer // by order
	Requests int               // with those that were repeated
	Known    int               // orders that were placed by a request without an answer
	Took     map[string]int    // deliveries, by what they are for
	Killed   map[string]int    // by who was killed
	Missed   map[string]int    // kills that failed, by who was to be killed
	Died     int               // processes that ended on their own
}

// NewTally makes a Tally.
func NewTally() *Tally {
	return &Tally{counts: Counts{
		Answers: map[string]Answer{}, Took: map[string]int{}, Killed: map[string]int{}, Missed: map[string]int{},
	}}
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

// Killed counts a kill.
func (t *Tally) Killed(who string) { t.with(func(c *Counts) { c.Killed[who]++ }) }

// Missed counts a kill that failed.
func (t *Tally) Missed(who string) { t.with(func(c *Counts) { c.Missed[who]++ }) }

// Died counts a process that was not killed.
func (t *Tally) Died() { t.with(func(c *Counts) { c.Died++ }) }

// Counts copies the counts.
func (t *Tally) Counts() (c Counts) {
	t.with(func(now *Counts) {
		c = *now
		c.Answers, c.Took = maps.Clone(now.Answers), maps.Clone(now.Took)
		c.Killed, c.Missed = maps.Clone(now.Killed), maps.Clone(now.Missed)
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
		c.answered(Accepted), c.answered(Rejected), c.Took["invoice"], c.Took["mail"], sum(c.Killed))
}

// kills says who was killed, and what of this many kills was missed.
func (c Counts) kills(planned int) string {
	text := byName(c.Killed)
	if len(c.Missed) > 0 {
		text += fmt.Sprintf("; missed, as the kill failed: %s", byName(c.Missed))
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

// byName is "3 relay, 4 shop", for example.
func byName(counts map[string]int) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(texts, ", ")
}
