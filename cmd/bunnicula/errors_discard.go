package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func errorsDiscard(a *app) *cobra.Command {
	var queue errorsQueue
	var choice choice
	var o errorqueue.DiscardOptions
	var settled settledFile
	var yes bool
	cmd := &cobra.Command{
		Use:   "discard QUEUE [TERM...]",
		Short: "Take messages out of an error queue, into its archive",
		Long: `Takes messages out of an error queue, into its archive: orders-archive, a queue that
is declared if it is not there, and that errors reads too. With --delete they are
gone for good. It says first how many they are, and asks.
` + terms,
		Example: `  bunnicula errors discard orders reason=undecodable older=30d
  bunnicula errors ls orders-archive
  bunnicula errors discard orders --group 4be1c09d2a7f3e85 --delete`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := a.toChange("errors discard", &choice, args[1:], o.DryRun, yes)
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
			err = a.openErrors(cmd, queue, p, func(ctx context.Context, q *errorqueue.Queue) error { return a.discard(ctx, q, o, p, yes) })
			return cmp.Or(err, settled.close())
		},
	}
	flags := cmd.Flags()
	choice.addAllTo(cmd)
	flags.BoolVar(&o.Delete, "delete", false, "delete them for good")
	flags.StringVar(&o.Archive, "archive", "", "another archive")
	flags.IntVar(&o.Limit, "limit", 0, "how many at most, those that were parked first; 0 for all")
	flags.Float64Var(&o.Rate, "rate", 0, "how many in a second, at most; 0 for as fast as it goes")
	boundFlags(cmd, &o.Within, &o.Now, &settled)
	changeFlags(cmd, &o.DryRun, &yes)
	queue.addTo(cmd)
	return cmd
}

// discardReport is what --json prints.
type discardReport struct {
	Queue string `json:"queue"`
	errorqueue.DiscardReport
}

func (a *app) discard(ctx context.Context, q *errorqueue.Queue, o errorqueue.DiscardOptions, p *progress, yes bool) error {
	// The question does not cover messages behind one that cannot be read.
	var blocked error
	if !o.DryRun && !yes {
		plan := o
		plan.DryRun = true
		seen, err := q.Discard(ctx, plan)
		p.end()
		if blocked = unreadable(err); err != nil && blocked == nil || seen.Matched == 0 {
			return a.reportedDiscard(discardReport{q.Name(), seen}, err)
		}
		a.warn(blocked)
		if o.Delete {
			err = a.confirmTyped(fmt.Sprintf("Delete %s of %s for good?", messages(seen.Matched), q.Name()), q.Name())
		} else {
			err = a.confirm(fmt.Sprintf("Move %s of %s to %s?", messages(seen.Matched), q.Name(), seen.Archive), false)
		}
		if err != nil {
			return err
		}
		// The answer does not cover messages that were parked since, behind these.
		o.Limit = seen.Matched
	}
	if !o.DryRun {
		p.begin("discard")
	}
	r, err := q.Discard(ctx, o)
	p.end()
	return a.reportedDiscard(discardReport{q.Name(), r}, cmp.Or(err, blocked))
}

func (a *app) reportedDiscard(r discardReport, err error) error {
	if r.Took == 0 { // the discard has not begun
		return err
	}
	var text strings.Builder
	// Otherwise it is unknown whether there are messages.
	if err == nil || r.Matched > 0 || r.Illegible > 0 {
		writeDiscard(&text, r)
	}
	return a.printMoved(r, text.String(), err, left(r.Failed, r.Illegible))
}

func writeDiscard(out *strings.Builder, r discardReport) {
	to := "to " + r.Archive
	if r.Archive == "" {
		to = "for good"
	}
	switch {
	case r.Matched == 0:
		fmt.Fprintf(out, "nothing to discard in %s\n", r.Queue)
	case r.DryRun:
		fmt.Fprintf(out, "%s of %s would be discarded, %s; nothing was done\n", messages(r.Matched), r.Queue, to)
	default:
		fmt.Fprintf(out, "%s of %s discarded, %s, in %s\n", messages(r.Discarded), r.Queue, to, took(r.Took))
	}
	writeTrouble(out, r.MaybeTwice, r.Failed, r.Failures)
	writeIllegible(out, r.Illegible)
}
