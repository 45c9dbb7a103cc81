package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Tally is a Monitor that counts what becomes of the conversations, and knows when the last one is
// settled.
type Tally struct {
	queue string // the queue of the conversations' jobs

	mu        sync.Mutex
	counts    Counts
	published map[string]bool
	settled   map[string]monitoring.Action // Acked or Parked, by message id
	open      int                          // published and not settled
	moves     int                          // deliveries that were settled in any way
	whole     bool                         // the last page is published
	err       error
	done      chan struct{}
}

var _ monitoring.Monitor = (*Tally)(nil)

// Counts count conversations (the first four fields) and deliveries since this start (the others).
type Counts struct {
	Total, Published, Imported, Parked int
	Snoozed, Duplicates                int
	Retried                            map[monitoring.Reason]int
}

// NewTally makes a Tally of this queue's messages.
func NewTally(queue string) *Tally {
	return &Tally{
		queue: queue, done: make(chan struct{}),
		published: map[string]bool{}, settled: map[string]monitoring.Action{},
		counts: Counts{Retried: map[monitoring.Reason]int{}},
	}
}

// GoOn adds what earlier starts have done.
func (t *Tally) GoOn(before Books, parked []Parked) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Total = before.Total
	for id := range before.Published {
		t.publish(id)
	}
	for id := range before.Imported {
		t.settle(id, monitoring.Acked)
	}
	for _, p := range parked {
		t.settle(p.ID, monitoring.Parked)
	}
	t.whole = t.whole || before.Whole
	t.check()
}

// Begin implements monitoring.Monitor.
func (t *Tally) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

// End implements monitoring.Monitor. A message may end more than once.
func (t *Tally) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moves++
	switch {
	case o.Action == monitoring.Retried:
		t.counts.Retried[o.Reason]++
	case o.Action == monitoring.Snoozed:
		t.counts.Snoozed++
	case d.Queue != t.queue && o.Action == monitoring.Parked:
		t.fail(fmt.Errorf("%s of the history was parked: %w", d.MessageID, o.Err))
	case d.Queue == t.queue && (o.Action == monitoring.Acked || o.Action == monitoring.Parked):
		t.settle(d.MessageID, o.Action)
		t.check()
	}
}

// Published counts jobs that were published.
func (t *Tally) Published(page api.Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Total = page.Total
	for _, id := range page.IDs {
		t.publish(id)
	}
	t.whole = t.whole || page.Next == 0
	t.check()
}

// Duplicate counts an import that was done twice.
func (t *Tally) Duplicate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Duplicates++
}

// Fail ends the import. Only the first error counts.
func (t *Tally) Fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail(err)
}

// Done is closed when all jobs are settled, or Fail was called.
func (t *Tally) Done() <-chan struct{} { return t.done }

// Err is the error of Fail, or nil.
func (t *Tally) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Counts copies the counts.
func (t *Tally) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Retried = make(map[monitoring.Reason]int, len(t.counts.Retried))
	for why, n := range t.counts.Retried {
		c.Retried[why] = n
	}
	return c
}

// Moves is how many deliveries were settled in any way.
func (t *Tally) Moves() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.moves
}

// The rest is called with mu held.

func (t *Tally) publish(id string) {
	if t.published[id] {
		return
	}
	t.published[id] = true
	t.counts.Published++
	if t.settled[id] == 0 {
		t.open++
	}
}

// settle may be called before publish: a consumer can be faster than the confirms of a batch.
func (t *Tally) settle(id string, how monitoring.Action) {
	if t.settled[id] != 0 {
		return
	}
	t.settled[id] = how
	if how == monitoring.Acked {
		t.counts.Imported++
	} else {
		t.counts.Parked++
	}
	if t.published[id] {
		t.open--
	}
}

func (t *Tally) check() {
	if t.whole && t.open == 0 {
		t.end()
	}
}

func (t *Tally) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.end()
}

func (t *Tally) end() {
	select {
	case <-t.done:
	default:
		close(t.done)
	}
}
