package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func outboxRetry(a *app) *cobra.Command {
	var choice rowChoice
	cmd := &cobra.Command{
		Use:   "retry [TERM...]",
		Short: "Make rows that failed due now",
		Long: `Makes rows due now that the relay has given up, or that back off after an attempt, with
all their attempts before them. Other rows are left alone: one with a delay stays so,
and what a consumer has parked is for errors redrive. It says first how many they are,
and asks.
` + outboxTerms,
		Example: `  bunnicula outbox retry queue=emails --dry-run
  bunnicula outbox retry state=failed 'error~no queue is bound'
  bunnicula outbox retry --all --yes --json | jq .retried`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := a.rowsToChange("outbox retry", &choice, args)
			if err != nil {
				return err
			}
			return a.outbox(cmd, false, func(ctx context.Context, o opened) error {
				c := rowChange{app: a, opened: o, what: "retry", did: "due now", change: o.Retry, ask: func(n int) error {
					return a.confirm(fmt.Sprintf("Make %s of %s due now?", rowsOf(n), o.source.Shown), false)
				}}
				r, err := c.run(ctx, filter, choice.yes)
				return c.report(r, retryReport{r.plan, r.changed, r.took}, err)
			})
		},
	}
	choice.addTo(cmd)
	return cmd
}

func outboxDiscard(a *app) *cobra.Command {
	var choice rowChoice
	cmd := &cobra.Command{
		Use:   "discard [TERM...]",
		Short: "Delete rows that are never to be published, or will never be done",
		Long: `Deletes rows that are waiting, held or failed, so that their messages are never
published; those behind them in their key go on. It says first how many they are, and
asks. They are gone for good: ls with --json keeps what was in them.

A row of a job stays after it was published, until it is done. Where that will not be,
its job is never complete, and no row of it is removed. Such a row is deleted if it is
named: a parked one, whose message was discarded from the error queue, by state=parked,
job= or id=; a sent one, whose message is handled without Once, by state=sent or id=,
though it may yet be handled; a done one by state=done. When all rows of the job are
done, a relay removes them in the end.

A row that is being published or handled stays, and so does one that held rows need,
unless these are deleted too. That is exit code 1.
` + outboxTerms,
		Example: `  bunnicula outbox discard state=failed older=30d --dry-run
  bunnicula outbox ls state=failed older=30d --limit 0 --json > gone.jsonl
  bunnicula outbox discard state=failed older=30d
  bunnicula outbox discard state=parked job=import-17`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := a.rowsToChange("outbox discard", &choice, args)
			if err != nil {
				return err
			}
			return a.outbox(cmd, false, func(ctx context.Context, o opened) error {
				c := rowChange{app: a, opened: o, what: "discard", did: "discarded", change: o.Discard, ask: func(n int) error {
					return a.confirmTyped(fmt.Sprintf("Delete %s of %s for good?", rowsOf(n), o.source.Shown), o.source.Name)
				}}
				r, err := c.run(ctx, filter, choice.yes)
				var stay *outbox.StayError
				if !errors.As(err, &stay) {
					stay = &outbox.StayError{}
				}
				return c.report(r, discardRowsReport{r.plan, r.changed, stay.Publishing, stay.Needed, r.took}, err)
			})
		},
	}
	choice.addTo(cmd)
	return cmd
}

// rowPlan is what --json prints of a change, besides what was done.
type rowPlan struct {
	Database string `json:"database"`
	DryRun   bool   `json:"dry_run"`
	Matched  int    `json:"matched"`
}

type retryReport struct {
	rowPlan
	Retried int           `json:"retried"`
	Took    time.Duration `json:"took"`
}

type discardRowsReport struct {
	rowPlan
	Discarded  int           `json:"discarded"`
	Publishing int           `json:"publishing"` // they stay
	Needed     int           `json:"needed"`     // they stay
	Took       time.Duration `json:"took"`
}

// rowChange is one run of retry or discard.
type rowChange struct {
	*app
	opened
	what, did string
	change    func(context.Context, outbox.RowFilter) (int, error)
	ask       func(n int) error
}

// rowResult is what a rowChange has done.
type rowResult struct {
	plan    rowPlan
	changed int
	took    time.Duration
	begun   bool // otherwise nothing is to be reported besides the error
}

// run counts, asks, and changes at most as many rows as it has counted.
func (c rowChange) run(ctx context.Context, f outbox.RowFilter, yes bool) (r rowResult, err error) {
	r.plan = rowPlan{Database: c.source.Shown, DryRun: f.DryRun}
	began := time.Now()
	dry := f
	dry.DryRun = true
	if r.plan.Matched, err = c.change(ctx, dry); err != nil {
		return r, err
	}
	if r.begun = true; f.DryRun || r.plan.Matched == 0 {
		r.took = time.Since(began)
		return r, nil
	}
	if !yes {
		if err := c.ask(r.plan.Matched); err != nil {
			return rowResult{}, err
		}
		// The answer does not cover rows that were put since, behind these.
		f.Limit = r.plan.Matched
	}
	p := c.progress(c.what)
	f.Progress = func(done, of int) {
		p.tell(errorqueue.Progress{Of: of, Read: of, Matched: of, Moved: done})
	}
	began = time.Now()
	r.changed, err = c.change(ctx, f)
	p.end()
	r.plan.Matched = max(r.plan.Matched, r.changed)
	r.took = time.Since(began)
	return r, err
}

// report prints what was done, as JSON or as text. It returns the error of the command.
func (c rowChange) report(r rowResult, asJSON any, err error) error {
	if !r.begun {
		return err
	}
	var text string
	switch {
	case r.plan.Matched == 0:
		text = fmt.Sprintf("nothing to %s in %s\n", c.what, plain(c.source.Shown))
	case r.plan.DryRun:
		text = fmt.Sprintf("%s of %s would be %s; nothing was done\n", rowsOf(r.plan.Matched), plain(c.source.Shown), c.did)
	default:
		text = fmt.Sprintf("%s of %s %s, in %s\n", rowsOf(r.changed), plain(c.source.Shown), c.did, took(r.took))
	}
	return c.printMoved(asJSON, text, err, nil)
}
