package main

import (
	"fmt"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

// Facts are what a run has left, as found after it.
type Facts struct {
	Options

	Want     Wanted
	Progress pipeline.Progress // read anew, from the first report on
	Rows     Difference
	Saved    int
	State    drill.State
	Counts   Counts
}

// Account says whether everything is as it should be.
type Account struct {
	Rows  int
	Wrong []string // what is not
}

// OK says whether it is.
func (a Account) OK() bool { return len(a.Wrong) == 0 }

// audit compares the rows, and what the progress says with what the plain run has done.
func audit(f Facts) Account {
	a := Account{Rows: f.Rows.Rows}
	a.Wrong = append(a.Wrong, f.Rows.First...)
	a.check(f.Rows.N <= len(f.Rows.First), "rows: %d are different in all", f.Rows.N)
	a.check(f.Rows.Rows == f.Want.Rows, "rows: %d were compared, and the plain run has saved %d", f.Rows.Rows, f.Want.Rows)
	a.Wrong = append(a.Wrong, f.Counts.Wrong...)
	a.check(f.Progress.Complete, "progress: the queues are empty, and the job is not said to be complete")
	a.check(f.Counts.Progress.Complete, "progress: whoever watched was not told that the job is complete")
	a.stage(f, f.AccountsQueue(), f.Want.Branches)
	a.stage(f, f.TransactionsQueue(), f.Want.Statements)
	a.stage(f, f.RowsQueue(), f.Want.Rows)
	a.check(f.State.Waiting == 0, "queues: %d messages are left in them", f.State.Waiting)
	a.check(f.State.Parked == 0, "queues: %d messages are parked", f.State.Parked)
	return a
}

func (a *Account) stage(f Facts, queue string, want int) {
	s := stage(f.Progress, queue)
	a.check(s.Emitted == want && s.Done == want, "progress: of %s %d were emitted and %d done, of %d", queue, s.Emitted, s.Done, want)
	a.check(s.Parked == 0, "progress: %d messages of the job are parked in the error queue of %s", s.Parked, queue)
}

func (a *Account) check(ok bool, otherwise string, values ...any) {
	if !ok {
		a.Wrong = append(a.Wrong, fmt.Sprintf(otherwise, values...))
	}
}
