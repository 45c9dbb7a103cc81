package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Tally is a Monitor that counts what becomes of the conversations, and knows when the last one is
// settled.
type Tally struct {
	queue string // the queue of the conversations' jobs

	mu        sync.Mutex
	counts    Counts                       // without those of Progress
	accounts  map[string]*Progress         // by name
	published map[string]*Progress         // the account's, by message id
	settled   map[string]monitoring.Action // Acked or Parked, by message id
	moves     int                          // deliveries that were settled in any way
	err       error
	done      chan struct{}
}

var _ monitoring.Monitor = (*Tally)(nil)

// Counts count the conversations of all accounts, and deliveries since this start.
type Counts struct {
	Progress

	Snoozed, Duplicates int
	Retried             map[monitoring.Reason]int
}

// NewTally makes a Tally of the import of these flags.
func NewTally(o Options) *Tally {
	t := &Tally{
		queue: o.ConversationQueue(), done: make(chan struct{}), accounts: map[string]*Progress{},
		published: map[string]*Progress{}, settled: map[string]monitoring.Action{},
		counts: Counts{Retried: map[monitoring.Reason]int{}},
	}
	for _, name := range o.Accounts() {
		t.accounts[name] = &Progress{}
	}
	return t
}

// GoOn adds what earlier starts have done.
func (t *Tally) GoOn(before Books, parked []Parked) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for account, b := range before {
		t.publish(account, slices.Collect(maps.Keys(b.Published)), b.Total, b.Whole)
		for id := range b.Imported {
			t.settle(id, monitoring.Acked)
		}
	}
	for _, p := range parked {
		t.settle(p.ID, monitoring.Parked)
	}
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
	}
}

// Published counts jobs that were published.
func (t *Tally) Published(page api.Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.publish(page.Account, page.IDs, page.Total, page.Next == 0)
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
	c.Retried = maps.Clone(t.counts.Retried)
	for _, p := range t.accounts {
		c.Progress = c.plus(*p)
	}
	return c
}

// Account copies the Progress of one account.
func (t *Tally) Account(name string) Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.accounts[name]; p != nil {
		return *p
	}
	return Progress{}
}

// Moves is how many deliveries were settled in any way.
func (t *Tally) Moves() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.moves
}

// The rest is called with mu held.

func (t *Tally) publish(account string, ids []string, total int, whole bool) {
	p := t.accounts[account]
	if p == nil {
		p = &Progress{}
		t.accounts[account] = p
	}
	p.Total = total
	for _, id := range ids {
		if t.published[id] != nil {
			continue
		}
		t.published[id] = p
		p.Published++
		if how := t.settled[id]; how != 0 { // a consumer can be faster than the confirms of a batch
			p.settle(how)
		}
	}
	p.whole = p.whole || whole
	if p.whole && p.Published == p.Total && p.Listed.IsZero() { // pages may come in another order
		p.Listed, p.Behind = time.Now(), t.open()-p.open()
	}
	t.check(p)
}

// open is how many conversations of all accounts are published and not settled.
func (t *Tally) open() (sum int) {
	for _, p := range t.accounts {
		sum += p.open()
	}
	return sum
}

func (t *Tally) settle(id string, how monitoring.Action) {
	if t.settled[id] != 0 {
		return
	}
	t.settled[id] = how
	if p := t.published[id]; p != nil {
		p.settle(how)
		t.check(p)
	}
}

// check ends the import if this account was the last one that is not done.
func (t *Tally) check(p *Progress) {
	p.check(time.Now())
	for _, other := range t.accounts {
		if other.Done.IsZero() {
			return
		}
	}
	t.end()
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
