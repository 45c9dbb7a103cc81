package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/outbox"
)

func outboxShow(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID | TERM...",
		Short: "Show all that is known of one row",
		Long: `Shows all that is known of a row: its state, what the relay's last attempt said, what
it waits for, and the message with its headers, properties and body. It is the one
with this message id, or the first that the terms choose.
` + outboxTerms,
		Example: `  bunnicula outbox show welcome-17
  bunnicula outbox show state=failed queue=emails
  bunnicula outbox show welcome-17 --json | jq -r .body`,
		Args: want(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return usage(errors.New("ID is empty, want a message id"))
			}
			filter := outbox.RowFilter{IDs: args[:1]}
			if len(args) > 1 || !isRowID(args[0]) {
				var err error
				if filter, err = rowFilter(args); err != nil {
					return err
				}
			}
			filter.Limit = 1
			return a.outbox(cmd, false, func(ctx context.Context, o opened) error { return a.showRow(ctx, o, filter, args) })
		},
	}
	return cmd
}

// isRowID says whether an argument is a message id, and not a term.
func isRowID(arg string) bool {
	parts := rowTerm.FindStringSubmatch(arg)
	return parts == nil || parts[2] == ""
}

func (a *app) showRow(ctx context.Context, o opened, f outbox.RowFilter, args []string) error {
	now, err := o.Now(ctx)
	if err != nil {
		return err
	}
	for r, err := range o.Rows(ctx, f) {
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(r, false)
		}
		var text strings.Builder
		writeRow(&text, now, &r)
		_, err := fmt.Fprint(a.out, text.String())
		return err
	}
	return fmt.Errorf("the outbox of %s has no such row: %s; it was never put, or has no job and was published", o.source.Shown, strings.Join(args, " "))
}

// writeRow prints all that is known of a row, the most important part first.
func writeRow(out *strings.Builder, now time.Time, r *outbox.Row) {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-12s %s\n", name, value)
		}
	}
	row("id", plain(r.ID))
	row("state", commas(r.State.String(), "since "+moment(r.Changed), meaningOf(now, r)))
	row("error", plain(r.Error))
	row("attempts", number(positive(r.Attempts)))
	row("put", moment(r.PutAt)+", "+ago(now, r.PutAt)+" ago")
	row("due", commas(moment(r.Due), dueIn(now, r)))
	if r.Exchange == "" {
		row("queue", plain(r.RoutingKey))
	} else {
		row("exchange", plain(r.Exchange))
		row("routing key", plain(r.RoutingKey))
	}
	row("key", plain(r.Key))
	row("job", plain(r.Job))
	row("needs", plain(r.Needs))
	row("unreadable", plain(r.Unreadable))
	p := r.Properties
	for _, one := range []struct{ name, value string }{
		{"timestamp", moment(p.Timestamp)}, {"type", p.Type}, {"content", commas(p.ContentType, p.ContentEncoding)}, {"correlation", p.CorrelationID},
		{"reply to", p.ReplyTo}, {"expiration", p.Expiration}, {"app id", p.AppID}, {"user id", p.UserID}, {"priority", number(positive(int(p.Priority)))},
	} {
		row(one.name, plain(one.value))
	}
	if len(p.Headers) > 0 {
		out.WriteString("\nheaders\n")
		for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
			fmt.Fprintf(out, "  %s  %s\n", plain(name), headerValue(p.Headers[name]))
		}
	}
	body, encoded, err := r.Decoded()
	writeEncoded(out, len(r.Body), p.ContentEncoding, body, encoded, err)
}

// meaningOf says what a state means for a row, "" where its name says it.
func meaningOf(now time.Time, r *outbox.Row) string {
	switch r.State {
	case outbox.Waiting:
		switch {
		case r.Due.After(now) && r.Error != "":
			return "backs off after an attempt"
		case r.Due.After(now):
			return "not due yet"
		}
		return "due"
	case outbox.Held:
		return "until the row that it needs is done"
	case outbox.Sent:
		return "published, and not handled yet"
	case outbox.Done:
		return "handled"
	case outbox.Parked:
		return "published, and given up by its consumer: see bunnicula errors"
	case outbox.Failed:
		return "given up by the relay: outbox retry tries again"
	}
	return ""
}
