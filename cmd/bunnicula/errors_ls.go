package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	cmd := &cobra.Command{
		Use:   "ls QUEUE [TERM...]",
		Short: "List what is parked, a line for each message",
		Long: `Lists what is parked, the one that was parked first at first, with how long ago that
was. With --json each line is a message with all that show shows.
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
				return a.list(ctx, q, errorqueue.ListOptions{Filter: filter, Limit: limit, Progress: p.tell}, p)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", listed, "how many at most, 0 for all")
	choice.addTo(cmd)
	queue.addTo(cmd)
	return cmd
}

// list prints after the queue has its messages back, unless the text is large: a pager that nobody
// closes must not hold them.
func (a *app) list(ctx context.Context, q *errorqueue.Queue, o errorqueue.ListOptions, p *progress) error {
	const much = 8 << 20
	var text bytes.Buffer
	lines := lister{out: &text, now: time.Now(), width: a.width(), json: a.json}
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

// lister prints one line for each message. The first messages decide the widths of the columns.
type lister struct {
	out   *bytes.Buffer
	now   time.Time
	width int // of a line, 0 for no limit
	json  bool
	first [][3]string // age, reason and id of messages that wait for flush
	texts []string    // their errors
	sizes []int
}

// measured is how many messages decide the widths.
const measured = 100

func (l *lister) add(m *errorqueue.Message) error {
	if l.json {
		encoder := json.NewEncoder(l.out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(m)
	}
	at := known(m.FailedAt)
	if at == nil {
		at = known(m.Timestamp)
	}
	row, text := [3]string{age(l.now, at), plain(m.Reason), plain(m.ID)}, plain(errorOr(m))
	if l.sizes == nil {
		l.first, l.texts = append(l.first, row), append(l.texts, text)
		if len(l.first) == measured {
			l.flush()
		}
		return nil
	}
	l.line(row, text)
	return nil
}

// flush decides the widths, and prints the lines that have waited.
func (l *lister) flush() {
	if len(l.first) == 0 {
		return
	}
	heads := [3]string{"AGE", "REASON", "ID"}
	l.sizes = make([]int, 3)
	for _, row := range append([][3]string{heads}, l.first...) {
		for i, cell := range row {
			l.sizes[i] = max(l.sizes[i], len([]rune(cell)))
		}
	}
	l.line(heads, "ERROR")
	for i, row := range l.first {
		l.line(row, l.texts[i])
	}
	l.first, l.texts = nil, nil
}

func (l *lister) line(row [3]string, text string) {
	line := fmt.Sprintf("%*s  %-*s  %-*s  %s", l.sizes[0], row[0], l.sizes[1], row[1], l.sizes[2], row[2], text)
	if l.width > 0 {
		line = cut(line, l.width)
	}
	l.out.Write(bytes.TrimRight([]byte(line), " "))
	l.out.WriteByte('\n')
}
