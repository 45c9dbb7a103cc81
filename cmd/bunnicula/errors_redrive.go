package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func errorsRedrive(a *app) *cobra.Command {
	var queue errorsQueue
	var choice choice
	var o errorqueue.RedriveOptions
	var settled settledFile
	var yes bool
	cmd := &cobra.Command{
		Use:   "redrive QUEUE [TERM...]",
		Short: "Move messages back to where they came from",
		Long: `Moves messages from the error queue back to the queues that they came from, to be
handled as if they were new. It says first how many would go where, and asks. Each
message is confirmed there before it is taken out of the error queue, so none is
lost however it ends; if it is killed, up to 100 may be in both.

--batches moves so many, waits, and stops with exit code 3 when one of them is parked
again; the last size is repeated. --watch is how long it waits, and must be longer
than all delays of the consumer's retries together: what still waits for a retry has
not failed again yet, and is not seen. Without it they get as long as they took when
they failed. What was moved stays moved, ^C included, and the report says what that
is.

A queue that does not exist is exit code 3, and nothing is moved. A message that
cannot be published stays parked, and is exit code 1.
` + terms,
		Example: `  bunnicula errors redrive orders reason=timeout older=2h --dry-run
  bunnicula errors redrive orders --group 4be1c09d2a7f3e85 --batches 1,10,100,1000 --watch 15m
  bunnicula errors redrive orders --all --rate 50 --yes --json | jq .moved`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := a.toChange("errors redrive", &choice, args[1:], o.DryRun, yes)
			if err != nil {
				return err
			}
			queue.name, o.Filter, o.All = args[0], filter, choice.all
			p := a.progress("read")
			o.Progress, o.Now, o.Settled = p.tell, frozen(o.Now), settled.add
			if !o.DryRun {
				if err := settled.open(); err != nil {
					return err
				}
			}
			err = a.openErrors(cmd, queue, p, func(ctx context.Context, q *errorqueue.Queue) error { return a.redrive(ctx, q, o, p, yes) })
			return cmp.Or(err, settled.close())
		},
	}
	flags := cmd.Flags()
	choice.addAllTo(cmd)
	flags.StringVar(&o.To, "to", "", "another queue than those that they came from")
	flags.IntVar(&o.Limit, "limit", 0, "how many at most, those that were parked first; 0 for all")
	flags.Float64Var(&o.Rate, "rate", 0, "how many in a second, at most; 0 for as fast as it goes")
	flags.IntSliceVar(&o.Batches, "batches", nil, "sizes, such as 1,10,100,1000")
	flags.DurationVar(&o.Watch, "watch", 0, "how long to wait after a batch (default somewhat longer\nthan the slowest of them took to fail, 1m to 1h)")
	flags.Float64Var(&o.Tolerate, "tolerate", 0, "which part of a batch may fail again, 0 to 1")
	flags.StringVar(&o.ID, "redrive-id", "", "go on with the redrive of this id, and leave alone what it has\nmoved already and failed again")
	boundFlags(cmd, &o.Within, &o.Now, &settled)
	changeFlags(cmd, &o.DryRun, &yes)
	queue.addTo(cmd)
	return cmd
}

// toChange makes a Filter of the choice, and checks that changes are allowed.
func (a *app) toChange(what string, c *choice, terms []string, dryRun, yes bool) (errorqueue.Filter, error) {
	filter, err := c.chosen(terms)
	if err != nil || dryRun {
		return filter, err
	}
	if err := a.mayChange(what); err != nil {
		return filter, err
	}
	return filter, a.canAsk(yes)
}

// changeFlags adds the flags of all commands that change messages.
func changeFlags(cmd *cobra.Command, dryRun, yes *bool) {
	cmd.Flags().BoolVar(dryRun, "dry-run", false, "only say what would be done")
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}

// redriveReport is what --json prints.
type redriveReport struct {
	Queue string `json:"queue"`
	errorqueue.RedriveReport
}

func (a *app) redrive(ctx context.Context, q *errorqueue.Queue, o errorqueue.RedriveOptions, p *progress, yes bool) error {
	// The question does not cover messages behind one that cannot be read.
	var blocked error
	if !o.DryRun && !yes {
		plan := o
		plan.DryRun = true
		seen, err := q.Redrive(ctx, plan)
		p.end()
		if blocked = unreadable(err); err != nil && blocked == nil || seen.Matched == 0 {
			return a.reported(redriveReport{q.Name(), seen}, err)
		}
		var text strings.Builder
		writeTargets(&text, seen.Targets, a.width())
		writeIllegible(&text, seen.Illegible)
		fmt.Fprint(a.err, text.String()) // it is part of the question
		a.warn(blocked)
		if err := a.confirm(fmt.Sprintf("Redrive %s from %s?", messages(seen.Matched), q.Name()), false); err != nil {
			return err
		}
		// The answer does not cover messages that were parked since, behind these.
		o.Limit = seen.Matched
		if blocked == nil && o.To == "" { // the queue is read for a plan anyway
			o.Within = seen.Read
		}
	}
	if !o.DryRun {
		p.begin("redrive")
	}
	r, err := q.Redrive(ctx, o)
	p.end()
	return a.reported(redriveReport{q.Name(), r}, cmp.Or(err, blocked))
}

// reported prints a report, if there is one, and returns the error of the command.
func (a *app) reported(r redriveReport, err error) error {
	if r.ID == "" { // the redrive has not begun
		return err
	}
	var text strings.Builder
	// Otherwise it is unknown whether there are messages.
	if err == nil || r.Matched > 0 || r.Illegible > 0 {
		writeRedrive(&text, r, a.width())
	}
	return a.printMoved(r, text.String(), err, left(r.Failed, r.Illegible))
}

// printMoved prints a report, as JSON or as text. It returns the first of these errors: err, left,
// or that of printing.
func (a *app) printMoved(report any, text string, err, left error) error {
	var printed error
	if a.json {
		printed = a.printJSON(report, false)
	} else {
		_, printed = fmt.Fprint(a.out, text)
	}
	return cmp.Or(err, left, printed)
}

// left returns the error for messages that stay parked.
func left(failed, illegible int) error {
	switch {
	case failed > 0:
		return fmt.Errorf("%s could not be published, and stay parked", messages(failed))
	case illegible > 0:
		return fmt.Errorf("%s with headers that cannot be read stay parked: discard --delete takes them away, export keeps their bytes", messages(illegible))
	}
	return nil
}

func writeRedrive(out *strings.Builder, r redriveReport, width int) {
	switch {
	case r.DryRun && r.Matched > 0:
		writeTargets(out, r.Targets, width)
		fmt.Fprintf(out, "%s of %s would be redriven; nothing was moved\n", messages(r.Matched), r.Queue)
		writeIllegible(out, r.Illegible)
		return
	case r.Matched == 0:
		fmt.Fprintf(out, "nothing to redrive in %s\n", r.Queue)
		writeIllegible(out, r.Illegible)
		return
	}
	fmt.Fprintf(out, "%s of %s redriven in %s (redrive id %s)\n", messages(r.Moved), r.Queue, took(r.Took), r.ID)
	for _, t := range r.Targets {
		if t.Messages > 0 {
			fmt.Fprintf(out, "  to %s: %d chosen\n", plain(t.Queue), t.Messages)
		} else {
			fmt.Fprintf(out, "  to %s\n", plain(t.Queue))
		}
	}
	if r.Watch > 0 {
		fmt.Fprintf(out, "  up to %s to fail again after each batch\n", took(r.Watch))
	}
	for i, b := range r.Batches {
		fmt.Fprintf(out, "  batch %d: %d moved", i+1, b.Moved)
		if b.Watched {
			fmt.Fprintf(out, ", %d failed again", b.FailedAgain)
		}
		out.WriteString("\n")
		writeAgain(out, b, r.ID)
	}
	writeTrouble(out, r.MaybeTwice, r.Failed, r.Failures)
	writeIllegible(out, r.Illegible)
}

// writeAgain prints which messages of a batch failed again.
func writeAgain(out *strings.Builder, b errorqueue.Batch, id string) {
	const most = 5
	for _, m := range b.Again[:min(len(b.Again), most)] {
		fmt.Fprintf(out, "    %s: %s\n", plain(cmp.Or(m.ID, "mark="+m.Mark)), plain(commas(m.Reason, errorOr(&m))))
	}
	if more := b.FailedAgain - min(len(b.Again), most); more > 0 {
		fmt.Fprintf(out, "    %d more: errors ls with redrive=%s\n", more, id)
	}
}

func writeIllegible(out *strings.Builder, n int) {
	if n > 0 {
		fmt.Fprintf(out, "  not moved: %s with headers that are nested too deep\n", messages(n))
	}
}

// writeTargets prints to which queues the messages go.
func writeTargets(out *strings.Builder, targets []errorqueue.Target, width int) {
	t := table{heads: []string{"TO QUEUE", ">MESSAGES", "NOTE"}}
	for _, target := range targets {
		note := ""
		switch {
		case target.Missing:
			note = "does not exist"
		case target.Derived == target.Messages && target.Derived > 0:
			note = fmt.Sprintf("known from: %s", target.Source)
		case target.Derived > 0:
			note = fmt.Sprintf("of %d known from: %s", target.Derived, target.Source)
		}
		t.add(target.Queue, fmt.Sprint(target.Messages), note)
	}
	t.print(out, width)
}

// writeTrouble says which messages may be in both queues, and which could not be moved.
func writeTrouble(out *strings.Builder, twice, failed int, failures []errorqueue.Failure) {
	if twice > 0 {
		fmt.Fprintf(out, "  %d of them may still be parked too, because the connection was lost\n", twice)
	}
	const most = 10
	for i, f := range failures {
		if i == most {
			break
		}
		fmt.Fprintf(out, "  not moved: %s to %s: %s\n", plain(f.ID), plain(f.Target), plain(f.Text))
	}
	if more := failed - min(len(failures), most); more > 0 {
		fmt.Fprintf(out, "  not moved: %d more\n", more)
	}
}

func took(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
