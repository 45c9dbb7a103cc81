package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/examples/import/api"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Report says how an import ended.
type Report struct {
	Audit    Audit // of all accounts
	Accounts []AccountReport
	Counts   Counts   // since this start
	Parked   []Parked // what the error queue holds
	Elapsed  time.Duration
}

// AccountReport says how the import of one account ended.
type AccountReport struct {
	Name     string
	Audit    Audit
	Requests api.Requests // since this start

	// Listed is when its last page was published, and Done when its last conversation was settled,
	// since this start. They are negative if that has not happened. Behind counts the conversations
	// of other accounts that were open when it was listed.
	Listed, Done time.Duration
	Behind       int
}

// newReport makes the Report of an import that began then.
func newReport(o Options, books Books, parked []Parked, tally *Tally, server *api.Server, began time.Time) Report {
	r := Report{Counts: tally.Counts(), Parked: parked, Elapsed: time.Since(began)}
	sum, each := auditAll(books, o.Accounts(), parked)
	r.Audit = sum
	for _, name := range o.Accounts() {
		p := tally.Account(name)
		r.Accounts = append(r.Accounts, AccountReport{
			Name: name, Audit: each[name], Requests: server.Requests(name),
			Listed: p.Listed.Sub(began), Behind: p.Behind, Done: p.Done.Sub(began),
		})
	}
	return r
}

// Print writes the tables.
func (r Report) Print(w io.Writer) {
	a, c := r.Audit, r.Counts
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, n any, note string) {
		if note != "" {
			note = "  " + note
		}
		fmt.Fprintf(t, "%s\t%v\t%s\n", name, n, note)
	}
	requests := r.requests()
	fmt.Fprintln(t)
	row("published", a.Published, fmt.Sprintf("of %d", a.Total))
	row("imported", a.Imported, both(a.Both))
	row("parked", a.Parked, "")
	row("missing", len(a.Missing), "")
	row("retried", c.retried(), byReason(c.Retried))
	row("snoozed", c.Snoozed, "")
	row("refused", requests.Refused, fmt.Sprintf("of %d requests", requests.All))
	row("duplicates", c.Duplicates, again(c.Duplicates))
	row("elapsed", tenths(r.Elapsed), "")
	_ = t.Flush()
	r.accounts(w)
	r.failures(w)
	fmt.Fprintf(w, "\n%s\n", a)
}

// requests counts those of all accounts.
func (r Report) requests() (sum api.Requests) {
	for _, a := range r.Accounts {
		sum.All += a.Requests.All
		sum.Refused += a.Requests.Refused
	}
	return sum
}

// accounts is the table of the accounts.
func (r Report) accounts(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nACCOUNT\tCONVERSATIONS\tIMPORTED\tPARKED\tREQUESTS\tREFUSED\tLISTED\tBEHIND\tDONE\t")
	for _, a := range r.Accounts {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%d\t%s\t\n", a.Name, a.Audit.Total, a.Audit.Imported, a.Audit.Parked,
			a.Requests.All, a.Requests.Refused, tenths(a.Listed), a.Behind, tenths(a.Done))
	}
	_ = t.Flush()
}

// tenths is a time since the start, to a tenth of a second.
func tenths(d time.Duration) string {
	if d < 0 {
		return "never"
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// failures is the table of what the error queue holds.
func (r Report) failures(w io.Writer) {
	if len(r.Parked) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  PARKED\tREASON\tTRIES\tONE OF THEM")
	for _, f := range failures(r.Parked) {
		attempts := fmt.Sprint(f.Most)
		if f.Least != f.Most {
			attempts = fmt.Sprintf("%d-%d", f.Least, f.Most)
		}
		fmt.Fprintf(t, "  %d\t%s\t%s\t%s\n", f.Count, f.Reason, attempts, oneLine(f.Example.Error))
	}
	_ = t.Flush()
}

// String is the summary's last line.
func (a Audit) String() string {
	if a.OK() {
		return fmt.Sprintf("%d imported + %d parked = %d published: every conversation is accounted for", a.Imported, a.Parked, a.Published)
	}
	var wrong []string
	if a.Unasked {
		wrong = append(wrong, fmt.Sprintf("%d of %d conversations were never published", a.Total-a.Published, a.Total))
	}
	if len(a.Missing) > 0 {
		wrong = append(wrong, "missing: "+list(a.Missing))
	}
	if len(a.Strays) > 0 {
		wrong = append(wrong, "never published, and there all the same: "+list(a.Strays))
	}
	return strings.Join(wrong, "\n")
}

func (c Counts) String() string {
	return fmt.Sprintf("published %d of %d, imported %d, parked %d, retried %d, snoozed %d",
		c.Published, c.Total, c.Imported, c.Parked, c.retried(), c.Snoozed)
}

func (c Counts) retried() int {
	sum := 0
	for _, n := range c.Retried {
		sum += n
	}
	return sum
}

func again(n int) string {
	if n == 0 {
		return ""
	}
	return "handled again after they were imported, and skipped"
}

func both(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of them parked as well: crashed after their work at the last attempt", n)
}

// byReason counts by reason: "42 retry, 3 panic".
func byReason(counts map[monitoring.Reason]int) string {
	why := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(why, func(a, b monitoring.Reason) int { return counts[b] - counts[a] })
	var texts []string
	for _, r := range why {
		texts = append(texts, fmt.Sprintf("%d %s", counts[r], r))
	}
	return strings.Join(texts, ", ")
}

// list names the first twenty.
func list(ids []string) string {
	const most = 20
	if len(ids) <= most {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], ", "), len(ids)-most)
}

// oneLine shortens an error so that it fits into a table.
func oneLine(s string) string {
	const most = 90
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most-3]) + "..."
	}
	return s
}
