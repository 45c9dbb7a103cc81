package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// conclude looks at what the run has left, prints the account, and deletes queues and tables if it
// adds up.
func (s *session) conclude(ctx context.Context, all []Order, run string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	state, err := s.queues.Look(ctx)
	if err != nil {
		return err
	}
	books, err := readBooks(ctx, s.db, run)
	if err == nil {
		err = books.readJobs(ctx, s.box, all)
	}
	if err != nil {
		return err
	}
	facts := Facts{Orders: all, Kills: s.Kills, Counts: s.tally.Counts(), Books: books, State: state}
	account := audit(facts)
	account.Print(stdout, facts)
	if !account.OK() {
		return errMissing
	}
	if s.Keep {
		return nil
	}
	if err := errors.Join(s.queues.Delete(ctx), drop(ctx, s.db), s.db.Close()); err != nil {
		return err
	}
	return forget(s.Options)
}

// Print writes the table.
func (a Account) Print(w io.Writer, f Facts) {
	c := f.Counts
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, n int, note string) { _, _ = fmt.Fprintf(t, "%s\t%d\t  %s\n", name, n, note) }
	_, _ = fmt.Fprintln(t)
	row("orders", len(f.Orders), "")
	row("accepted", a.Accepted, fmt.Sprintf("%d of them by a request that got no answer, and was repeated", c.Known))
	row("rejected", a.Rejected, "after both messages were put, and rolled back with them")
	row("requests", c.Requests, fmt.Sprintf("%d of them got no answer", c.Requests-len(c.Answers)))
	row("invoices", a.Invoices, fmt.Sprintf("the last one has the number %d", f.Books.Last))
	row("mails", a.Mails, "each names its order's invoice")
	row("deliveries", drill.Sum(c.Took), fmt.Sprintf("%d of them failed, or were of what was done", max(drill.Sum(c.Took)-a.Invoices-a.Mails, 0)))
	row("killed", drill.Sum(c.Killed), c.Kills(f.Kills))
	_ = t.Flush()
	_, _ = fmt.Fprintf(w, "\n%s\n", a)
}

// String is the verdict.
func (a Account) String() string {
	if a.OK() {
		return fmt.Sprintf("%d accepted = %d invoices = %d mails: every order is accounted for", a.Accepted, a.Invoices, a.Mails)
	}
	const most = 20
	wrong := a.Wrong
	if len(wrong) > most {
		wrong = append(wrong[:most:most], fmt.Sprintf("and %d more", len(wrong)-most))
	}
	return "it does not add up:\n  " + strings.Join(wrong, "\n  ")
}
