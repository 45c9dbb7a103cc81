package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// conclude looks at what the run has left, prints the account, and deletes the queues if it adds
// up.
func conclude(ctx context.Context, o Options, broker Broker, all []Request, tally *Tally, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	state, err := broker.Look(ctx)
	if err != nil {
		return err
	}
	parked, err := readParked(ctx, o, broker, o.parked(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	facts := Facts{Requests: all, Counts: tally.Counts(), Parked: parked, Waiting: state.Waiting, Results: map[string]error{}}
	ids, err := o.Results().IDs()
	if err != nil {
		return err
	}
	for _, id := range ids {
		facts.Results[id] = nil
	}
	for _, r := range all {
		if _, there := facts.Results[r.ID]; there {
			facts.Results[r.ID] = o.Results().Check(r.ID, r.ContentType(), r.Body)
		}
	}
	account := audit(facts)
	account.Print(stdout, facts)
	_, _ = fmt.Fprintf(stdout, "\nresults in %s, what is parked in %s\n", o.Results(), o.parked())
	if !account.OK() {
		return errMissing
	}
	if o.Keep {
		return nil
	}
	return broker.Delete(ctx)
}

// Print writes the tables.
func (a Account) Print(w io.Writer, f Facts) {
	c := f.Counts
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, n int, note string) {
		if note != "" {
			note = "  " + note
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%s\n", name, n, note)
	}
	_, _ = fmt.Fprintln(t)
	row("requests", len(f.Requests), "")
	row("refused", a.Refused, "by the publisher: too large, or a topic that no queue takes")
	row("published", len(c.Published), fmt.Sprintf("and %d of them twice", a.Copies))
	row("done", a.Done, "grey, pixel by pixel")
	row("parked", drill.Sum(a.Parked), byName(a.Parked))
	row("noticed", len(c.Notices), fmt.Sprintf("and %d more notices of the same", a.Unneeded))
	row("tries", drill.Sum(c.Began), byLanguage(c.Tries))
	row("again", a.Again, "results were written again, by another worker or after a death")
	row("skipped", max(a.Skipped, 0), "deliveries: their worker had done the same request, or was at it")
	row("killed", c.Killed, fmt.Sprintf("workers, and %d that a picture has killed", c.Died))
	_ = t.Flush()

	if len(f.Parked) > 0 {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, "\n  PARKED\tCOPIES\tREASON\tERROR")
		copies := map[Parked]int{}
		for _, p := range f.Parked {
			copies[p]++
		}
		for _, p := range f.Parked {
			if copies[p] > 0 {
				_, _ = fmt.Fprintf(t, "  %s\t%d\t%s\t%s\n", p.ID, copies[p], p.Reason, strings.Join(strings.Fields(p.Error), " "))
			}
			delete(copies, p)
		}
		_ = t.Flush()
	}
	_, _ = fmt.Fprintf(w, "\n%s\n", a.verdict(len(c.Published)))
}

func (a Account) verdict(published int) string {
	if a.OK() {
		return fmt.Sprintf("%d done + %d parked = %d published: every request is accounted for", a.Done, drill.Sum(a.Parked), published)
	}
	const most = 20
	wrong := a.Wrong
	if len(wrong) > most {
		wrong = append(wrong[:most:most], fmt.Sprintf("and %d more", len(wrong)-most))
	}
	return "it does not add up:\n  " + strings.Join(wrong, "\n  ")
}

// byName counts by reason, for example: "1 crashed, 3 error".
func byName(counts map[string]int) string {
	var texts []string
	for _, reason := range keys(counts) {
		texts = append(texts, fmt.Sprintf("%d %s", counts[reason], reason))
	}
	return strings.Join(texts, ", ")
}

// byLanguage is "203 in Go, 120 in Node", for example.
func byLanguage(tries map[string]int) string {
	var texts []string
	for _, language := range keys(tries) {
		texts = append(texts, fmt.Sprintf("%d in %s", tries[language], language))
	}
	return strings.Join(texts, ", ")
}
