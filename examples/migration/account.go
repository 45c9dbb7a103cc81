package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Facts are what the files and the queues say at one moment.
type Facts struct {
	Old      []Customer
	Position Position
	Transit  Transit
	Parked   map[string]string // reasons, by message id
	Imported map[string][]Row  // by message id
}

// Account says what became of each record, by its id. Each is exactly one of Imported, Parked,
// InTransit, Waiting and Missing.
type Account struct {
	Total     int
	Published int // confirmed, by the position of the export
	Imported  int
	Parked    int      // and not imported
	InTransit int      // in the queues, or in hand
	Waiting   int      // to be published
	Wrong     []string // what does not add up, such as records that are lost
}

// account compares ids and contents. Counts that fit would prove nothing.
func account(f Facts) Account {
	a := Account{Total: len(f.Old), Published: f.Position.Records}
	known := map[string]bool{}
	var open []string
	for i, c := range f.Old {
		id := c.MessageID()
		known[id] = true
		rows, aside := f.Imported[id], f.Parked[id]
		switch {
		case len(rows) > 0:
			a.Imported++
			if complaint := compare(c, rows); complaint != "" {
				a.Wrong = append(a.Wrong, id+" "+complaint)
			}
		case aside != "":
			a.Parked++
		case i >= f.Position.Records:
			a.Waiting++
		default:
			open = append(open, id)
		}
	}
	if f.Transit == (Transit{}) {
		for _, id := range open {
			a.Wrong = append(a.Wrong, id+" is lost: it was published, and is nowhere")
		}
	} else {
		a.InTransit = len(open)
	}
	for id := range f.Imported {
		if !known[id] {
			a.Wrong = append(a.Wrong, id+" was imported, and the old system does not have it")
		}
	}
	slices.Sort(a.Wrong)
	return a
}

// compare says how the rows of a customer differ from the one that there should be.
func compare(c Customer, rows []Row) string {
	day, _ := birthday(c.Birthday, true) // without a day no row is right
	want := Row{c.MessageID(), c.Name, c.Email, day}
	switch {
	case len(rows) > 1:
		return fmt.Sprintf("was imported %d times", len(rows))
	case rows[0] != want:
		return fmt.Sprintf("is %v in the new system, want %v", rows[0], want)
	}
	return ""
}

// Complete says whether every record is imported or parked.
func (a Account) Complete() bool { return len(a.Wrong) == 0 && a.Waiting == 0 && a.InTransit == 0 }

func (a Account) String() string {
	return fmt.Sprintf("of %d published %d, imported %d, parked %d, in transit %d, to be published %d",
		a.Total, a.Published, a.Imported, a.Parked, a.InTransit, a.Waiting)
}

// print prints the account, and the reasons of the first few that are parked.
func (a Account) print(w io.Writer, f Facts) {
	var b strings.Builder
	fmt.Fprintf(&b, "published  %6d of %d\n", a.Published, a.Total)
	fmt.Fprintf(&b, "imported   %6d\n", a.Imported)
	fmt.Fprintf(&b, "parked     %6d\n", a.Parked)
	fmt.Fprintf(&b, "in transit %6d\n", a.InTransit)
	const most = 3
	for i, c := range a.aside(f) {
		if i == most {
			fmt.Fprintf(&b, "  and %d more: bunnicula errors groups\n", a.Parked-most)
			break
		}
		fmt.Fprintf(&b, "  parked: %s\n", f.Parked[c.MessageID()])
	}
	for i, text := range a.Wrong {
		if i == 20 {
			fmt.Fprintf(&b, "  and %d more\n", len(a.Wrong)-i)
			break
		}
		fmt.Fprintf(&b, "  wrong: %s\n", text)
	}
	switch {
	case a.Complete():
		fmt.Fprintf(&b, "%d records = %d imported + %d parked: every record is accounted for\n", a.Total, a.Imported, a.Parked)
	case len(a.Wrong) > 0:
		fmt.Fprintln(&b, "it does not add up")
	default:
		fmt.Fprintln(&b, "the migration is not over")
	}
	_, _ = io.WriteString(w, b.String())
}

// aside are the customers that are parked and not imported, in the order of the old system.
func (a Account) aside(f Facts) (some []Customer) {
	for _, c := range f.Old {
		if id := c.MessageID(); f.Parked[id] != "" && len(f.Imported[id]) == 0 {
			some = append(some, c)
		}
	}
	return some
}
