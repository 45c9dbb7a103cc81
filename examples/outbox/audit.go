package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// Facts are what a run has left, as found after it.
type Facts struct {
	Orders []Order
	Kills  int // that were asked for
	Counts Counts
	Books  Books
	State  drill.State
}

// Account says what became of each order, by its id.
type Account struct {
	Accepted, Rejected int
	Invoices, Mails    int // of accepted orders

	Wrong []string // what does not add up
}

// OK says whether everything adds up.
func (a Account) OK() bool { return len(a.Wrong) == 0 }

// audit compares ids. Counts that fit would prove nothing.
func audit(f Facts) Account {
	var a Account
	known := map[string]bool{}
	for _, o := range f.Orders {
		known[o.ID] = true
		a.check(f.Counts.Answers[o.ID] == o.Wants(), o.ID, "it got the wrong answer, or none")
		if f.Counts.Answers[o.ID] == Accepted {
			a.accepted(o.ID, f.Books)
		} else {
			a.rejected(o.ID, f.Books)
		}
	}
	for _, ids := range [][]string{keys(f.Books.Orders), keys(f.Books.Invoices), keys(f.Books.Mails)} {
		for _, id := range ids {
			a.check(known[id], id, "nobody has ordered it")
		}
	}
	a.check(f.Books.Last == f.Books.Written, "invoices", fmt.Sprintf("the last one has the number %d, and there are %d", f.Books.Last, f.Books.Written))
	a.check(f.State.Waiting == 0, "queues", fmt.Sprintf("%d messages are left in them", f.State.Waiting))
	a.check(f.State.Parked == 0, "queues", fmt.Sprintf("%d messages are parked", f.State.Parked))
	return a
}

// accepted is the account of one order that was committed: everything once.
func (a *Account) accepted(id string, b Books) {
	a.Accepted++
	invoices, mails := b.Invoices[id], b.Mails[id]
	a.check(b.Orders[id], id, "it was accepted, and is not in the database")
	a.check(len(invoices) == 1, id, fmt.Sprintf("it was accepted, and has %d invoices: %v", len(invoices), invoices))
	a.check(len(mails) == 1, id, fmt.Sprintf("it was accepted, and has %d mails", len(mails)))
	a.check(len(invoices) == 0 || len(mails) == 0 || mails[0] == invoices[0], id, fmt.Sprintf("its mail names invoice %v, and it has %v", mails, invoices))
	job := b.Jobs[id]
	a.check(job.Complete() && job.Done == 2, id, fmt.Sprintf("its job is not done: %+v", job))
	a.Invoices += len(invoices)
	a.Mails += len(mails)
}

// rejected is the account of one order that was rolled back: nothing of it is anywhere.
func (a *Account) rejected(id string, b Books) {
	a.Rejected++
	_, put := b.Jobs[id]
	a.check(!b.Orders[id], id, "it was rejected, and is in the database")
	a.check(!put, id, "it was rejected, and the outbox has messages of it")
	a.check(len(b.Invoices[id]) == 0, id, "it was rejected, and has an invoice")
	a.check(len(b.Mails[id]) == 0, id, "it was rejected, and has a mail")
}

func (a *Account) check(ok bool, id, otherwise string) {
	if !ok {
		a.Wrong = append(a.Wrong, id+": "+otherwise)
	}
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
