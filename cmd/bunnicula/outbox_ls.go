package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/internal/outboxlook"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func outboxLs(a *app) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "ls [TERM...]",
		Short: "List rows, a line for each",
		Long: `Lists rows of the outbox, the one that was put first at first, with how long ago that
was by the database's clock. DUE is when a row that waits is published at the earliest,
if that is to come. ERROR is what the relay's last attempt ended with. Rows without a
job are deleted when they are published. With --json each line is a row with all that
show shows.
` + outboxTerms,
		Example: `  bunnicula outbox ls
  bunnicula outbox ls state=failed queue=emails --limit 0
  bunnicula outbox ls 'error~no queue is bound' older=1h --json | jq -r .id`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := rowFilter(args)
			if err != nil {
				return err
			}
			if limit < 0 {
				return usage(fmt.Errorf("--limit is %d, want 0 or more", limit))
			}
			filter.Limit = limit
			return a.outbox(cmd, false, func(ctx context.Context, o opened) error { return a.listRows(ctx, o, filter) })
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().IntVar(&limit, "limit", listed, "how many at most, 0 for all")
	return cmd
}

func (a *app) listRows(ctx context.Context, o opened, f outbox.RowFilter) error {
	now, err := o.Now(ctx)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	lines := rowLister{columns{out: &text, width: a.width(), heads: []string{">AGE", "STATE", "QUEUE", "KEY", ">ATTEMPTS", "DUE", "ID", "ERROR"}}, now, a.json}
	write := func() error {
		_, err := text.WriteTo(a.out)
		return err
	}
	n := 0
	for r, err := range o.Rows(ctx, f) {
		if err == nil {
			n++
			err = lines.add(&r)
		}
		if err == nil {
			err = write()
		}
		if err != nil {
			lines.flush()
			_ = write() // the first error counts
			return err
		}
	}
	lines.flush()
	err = write()
	if n == f.Limit && n > 0 {
		fmt.Fprintf(a.err, "the first %d are listed; --limit 0 lists all\n", n)
	}
	return err
}

// rowLister prints one line for each row.
type rowLister struct {
	columns
	now  time.Time // the database's
	json bool
}

func (l *rowLister) add(r *outbox.Row) error {
	if l.json {
		text, err := jsonLine(r, true)
		l.out.Write(text)
		return err
	}
	l.columns.add(ago(l.now, r.PutAt), r.State.String(), targetOf(r).String(), r.Key, fmt.Sprint(r.Attempts), dueIn(l.now, r), r.ID, r.Error)
	return nil
}

func targetOf(r *outbox.Row) outboxlook.Target {
	return outboxlook.Target{Exchange: r.Exchange, RoutingKey: r.RoutingKey}
}

// dueIn returns in what time a row that waits is due, "" if that is now.
func dueIn(now time.Time, r *outbox.Row) string {
	if r.State != outbox.Waiting && r.State != outbox.Held || !r.Due.After(now) {
		return ""
	}
	return "in " + age(r.Due, &now)
}
