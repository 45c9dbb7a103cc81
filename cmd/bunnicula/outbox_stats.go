package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/internal/outboxlook"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// waitsShown is how many rows for which others wait stats shows.
const waitsShown = 10

func outboxStats(a *app) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count rows by state, and show what waits for what",
		Long: `Counts the rows of the outbox by their state, and says how long the oldest that is due
has waited. Delayed are those that wait and are due later, after an attempt too.

Below are the rows for which most others wait: the first of a key, if it is not
published now, with how many rows are behind it, and a row that held ones need.`,
		Example: `  bunnicula outbox stats
  bunnicula outbox stats --watch
  bunnicula outbox stats --json | jq '.failed, .oldest_seconds'`,
		Args: want(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.outbox(cmd, false, func(_ context.Context, o opened) error {
				return again(cmd.Context(), a, watch, func() error {
					// --timeout is for each look
					return a.ifAsked(cmd, func(ctx context.Context) error {
						r, err := stats(ctx, o)
						if err != nil {
							return err
						}
						return a.printStats(r, watch)
					})
				})
			})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "look again every 2 s, until ^C")
	return cmd
}

// again runs look once, or repeatedly until the context ends. An error ends it at first; later it
// is printed, because what is looked at may come back.
func again(ctx context.Context, a *app, repeat bool, look func() error) error {
	for seen := false; ; seen = true {
		err := look()
		switch {
		case err != nil && repeat && seen && ctx.Err() == nil:
			a.complain(err)
		case err != nil || !repeat:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watchEvery):
		}
	}
}

// statsReport is what --json prints.
type statsReport struct {
	At       time.Time   `json:"at"`
	Database string      `json:"database"`
	Waiting  int         `json:"waiting"`
	Delayed  int         `json:"delayed"`
	Held     int         `json:"held"`
	Failed   int         `json:"failed"`
	Sent     int         `json:"sent"`
	Done     int         `json:"done"`
	Parked   int         `json:"parked"`
	Oldest   float64     `json:"oldest_seconds"`
	Waits    []waitShown `json:"waits"`
}

// waitShown is a row for which others wait.
type waitShown struct {
	Rows       int     `json:"rows"`
	Key        string  `json:"key,omitempty"` // they are behind it in this key; "" if they need it
	ID         string  `json:"id"`
	State      string  `json:"state"` // also "gone"
	Exchange   string  `json:"exchange,omitempty"`
	RoutingKey string  `json:"routing_key,omitempty"`
	DueIn      float64 `json:"due_in_seconds,omitempty"`
	Error      string  `json:"error,omitempty"`
}

func stats(ctx context.Context, o opened) (statsReport, error) {
	s, err := o.Stats(ctx)
	if err != nil {
		return statsReport{}, err
	}
	waits, err := o.Waits(ctx, waitsShown)
	if err != nil {
		return statsReport{}, err
	}
	r := statsReport{
		At: time.Now().UTC().Truncate(time.Second), Database: o.source.Shown, Waiting: s.Waiting, Delayed: s.Delayed, Held: s.Held,
		Failed: s.Failed, Sent: s.Sent, Done: s.Done, Parked: s.Parked, Oldest: s.Oldest.Round(time.Millisecond).Seconds(), Waits: []waitShown{},
	}
	for _, w := range waits {
		r.Waits = append(r.Waits, shownWait(w))
	}
	return r, nil
}

func shownWait(w outboxlook.Wait) waitShown {
	s := waitShown{Rows: w.Rows, Key: w.Key, ID: w.ID, State: w.State.String(), Exchange: w.Target.Exchange, RoutingKey: w.Target.RoutingKey, Error: w.Error}
	switch {
	case w.Gone:
		s.State = "gone"
	case w.State == outbox.Waiting && w.Until > 0:
		s.DueIn = w.Until.Round(time.Millisecond).Seconds()
	}
	return s
}

func (a *app) printStats(r statsReport, watch bool) error {
	if a.json {
		return a.printJSON(r, watch)
	}
	var text strings.Builder
	if watch {
		if a.shows {
			text.WriteString("\x1b[H\x1b[2J") // clear the screen and write from its top
		}
		fmt.Fprintf(&text, "%s  %s\n", r.At.Local().Format(time.TimeOnly), plain(r.Database))
	}
	writeStats(&text, r, a.width())
	_, err := io.WriteString(a.out, text.String())
	return err
}

func writeStats(out *strings.Builder, r statsReport, width int) {
	t := table{heads: []string{"STATE", ">ROWS", "NOTE"}}
	for _, one := range []struct {
		state string
		rows  int
		note  string
	}{
		{"waiting", r.Waiting, ""},
		{"delayed", r.Delayed, "due later"},
		{"held", r.Held, "until rows that they need are done"},
		{"failed", r.Failed, "given up by the relay"},
		{"sent", r.Sent, "of jobs: published, and not handled yet"},
		{"done", r.Done, "of jobs: handled"},
		{"parked", r.Parked, "of jobs: given up by their consumers"},
	} {
		switch {
		case one.rows == 0:
			one.note = ""
		case one.state == "waiting":
			one.note = "the oldest for " + forSeconds(r.Oldest)
		}
		t.add(one.state, fmt.Sprint(one.rows), one.note)
	}
	t.print(out, width)
	if len(r.Waits) == 0 {
		return
	}
	out.WriteString("\n")
	t = table{heads: []string{">ROWS", "WAIT FOR", "STATE", "QUEUE", "BECAUSE OF"}, elastic: []int{1, 4, 3}}
	for _, w := range r.Waits {
		because, state := "they need it", w.State
		if w.Key != "" {
			because = "key " + w.Key
		}
		if w.DueIn > 0 {
			state += ", due in " + forSeconds(w.DueIn)
		}
		t.add(fmt.Sprint(w.Rows), w.ID, state, outboxlook.Target{Exchange: w.Exchange, RoutingKey: w.RoutingKey}.String(), because)
		t.under(w.Error)
	}
	t.print(out, width)
}

// forSeconds returns a time as a column of ages has it.
func forSeconds(s float64) string {
	now := time.Now()
	return ago(now, now.Add(-time.Duration(s*float64(time.Second))))
}
