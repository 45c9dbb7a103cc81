package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// listed is how many messages ls shows by default.
const listed = 100

func errorsLs(a *app) *cobra.Command {
	var queue errorsQueue
	var choice choice
	var limit int
	var marks bool
	cmd := &cobra.Command{
		Use:   "ls QUEUE [TERM...]",
		Short: "List what is parked, a line for each message",
		Long: `Lists what is parked, the one that was parked first at first, with how long ago that
was. With --json each line is a message with all that show shows. --marks shows what
names each message, also one without an id; alike ones have the same mark.
` + terms,
		Example: `  bunnicula errors ls orders
  bunnicula errors ls orders reason=timeout newer=1h --limit 0
  bunnicula errors ls orders 'error~connection refused' --json | jq -r .id`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := choice.filter(args[1:])
			if err != nil {
				return err
			}
			queue.name = args[0]
			p := a.progress("read")
			p.quiet = a.shows
			return a.openErrors(cmd, queue, p, func(ctx context.Context, q *errorqueue.Queue) error {
				return a.list(ctx, q, errorqueue.ListOptions{Filter: filter, Limit: limit, Progress: p.tell}, p, marks)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", listed, "how many at most, 0 for all")
	cmd.Flags().BoolVar(&marks, "marks", false, "show the mark of each, for mark=")
	choice.addTo(cmd)
	queue.addTo(cmd)
	return cmd
}

// list prints after the queue has its messages back, unless the text is large: a pager that nobody
// closes must not hold them.
func (a *app) list(ctx context.Context, q *errorqueue.Queue, o errorqueue.ListOptions, p *progress, marks bool) error {
	const much = 8 << 20
	var text bytes.Buffer
	heads := []string{">AGE", "REASON", "ID", "ERROR"}
	if marks {
		heads = slices.Insert(heads, 3, "MARK")
	}
	lines := lister{columns{out: &text, width: a.width(), heads: heads}, time.Now(), a.json, marks}
	write := func() error {
		_, err := text.WriteTo(a.out)
		return err
	}
	n := 0
	var failed error
	for m, err := range q.List(ctx, o) {
		if err != nil {
			failed = err
			break
		}
		n++
		if failed = lines.add(&m); failed == nil && text.Len() > much {
			failed = write()
		}
		if failed != nil {
			break
		}
	}
	p.end()
	lines.flush()
	if err := write(); failed == nil {
		failed = err
	}
	if failed == nil && n == o.Limit && n > 0 {
		fmt.Fprintf(a.err, "the first %d are listed; --limit 0 lists all\n", n)
	}
	return failed
}

// lister prints one line for each message.
type lister struct {
	columns
	now   time.Time
	json  bool
	marks bool
}

func (l *lister) add(m *errorqueue.Message) error {
	if l.json {
		text, err := jsonLine(m, true)
		l.out.Write(text)
		return err
	}
	at := known(m.FailedAt)
	if at == nil {
		at = known(m.Timestamp)
	}
	row := []string{age(l.now, at), m.Reason, m.ID, errorOr(m)}
	if l.marks {
		row = slices.Insert(row, 3, m.Mark)
	}
	l.columns.add(row...)
	return nil
}
