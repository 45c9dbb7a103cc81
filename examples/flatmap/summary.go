package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

// conclude looks at what the run has left, prints the account, and deletes queues and databases if
// it is right.
func (s *session) conclude(ctx context.Context, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 8*patience)
	defer cancel()
	f, err := s.facts(ctx)
	if err != nil {
		return err
	}
	account := audit(f)
	account.Print(stdout, f, s)
	if !account.OK() {
		return errWrong
	}
	if s.Keep {
		return nil
	}
	if err := errors.Join(s.queues.Delete(ctx), drop(ctx, s.db), s.db.Close(), remove(s.plainFile())); err != nil {
		return err
	}
	if s.ownFile {
		return remove(s.DB)
	}
	return nil
}

func (s *session) facts(ctx context.Context) (f Facts, err error) {
	f = Facts{Options: s.Options, Want: s.want, Counts: s.tally.Counts()}
	if f.State, err = s.queues.Look(ctx); err != nil {
		return f, err
	}
	if f.Progress, err = s.progress(ctx, pipeline.WithParked()); err != nil {
		return f, err
	}
	if f.Saved, err = count(ctx, s.db); err != nil {
		return f, err
	}
	plain, err := open(s.plainFile())
	if err != nil {
		return f, err
	}
	defer func() { _ = plain.Close() }() // nothing is written
	f.Rows, err = compare(ctx, s.db, plain)
	return f, err
}

// Print writes the table.
func (a Account) Print(w io.Writer, f Facts, s *session) {
	c, b := f.Counts, s.server.Counts()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, n int, note string, values ...any) {
		_, _ = fmt.Fprintf(t, "%s\t%d\t  %s\n", name, n, fmt.Sprintf(note, values...))
	}
	_, _ = fmt.Fprintln(t)
	row("accounts", f.Accounts, "of %d branches", f.Branches)
	row("statements", f.Want.Statements, "%d of them continuations", f.Want.Statements-f.Accounts)
	row("rows", f.Saved, "the plain run has %d", f.Want.Rows)
	row("requests", b.Served+b.Refused+b.Hung+b.Cut, "%d got a 503, %d no answer, and %d half of one", b.Refused, b.Hung, b.Cut)
	row("deliveries", drill.Sum(c.Took), "%d of them failed, or were of what was done", max(drill.Sum(c.Took)-f.Want.all(), 0))
	row("looks", c.Looks, "at the progress, which was lost %d times", c.Losses)
	row("MiB", c.Memory>>20, "the most that a worker had")
	row("killed", drill.Sum(c.Killed), "%s", c.Kills(f.Kills))
	_ = t.Flush()
	_, _ = fmt.Fprintf(w, "\n%s\n", a)
}

// String is the verdict.
func (a Account) String() string {
	if a.OK() {
		return fmt.Sprintf("all %d rows are those of the plain run, and the progress was right each time", a.Rows)
	}
	return "it is wrong:\n  " + strings.Join(a.Wrong, "\n  ")
}
