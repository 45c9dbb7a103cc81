package topology

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	printWidth = 120 // characters; longer lines are folded
	separator  = " · "
)

// String prints the topology as aligned text, without a line break at the end. Each exchange, queue
// and binding is one row, and the arguments are in alphabetical order.
func (t Topology) String() string {
	var rows []row
	for _, e := range t.Exchanges {
		rows = append(rows, e.row())
	}
	for _, q := range t.Queues {
		rows = append(rows, t.row(q))
	}
	for _, b := range t.Bindings {
		rows = append(rows, b.row())
	}
	var widths [3]int
	for _, r := range rows {
		for i, cell := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, r := range rows {
		r.print(&out, widths)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// row is one line of text. A long one is folded.
type row struct {
	cells   [3]string // what, name, kind
	details []string
}

func (e Exchange) row() row {
	r := row{cells: [3]string{"exchange", e.Name, e.Kind}, details: []string{"durable"}}
	if e.Transient {
		r.details[0] = "transient"
	}
	if e.AutoDelete {
		r.details = append(r.details, "auto-delete")
	}
	return r
}

func (t Topology) row(q Queue) row {
	kind, _ := q.Arguments["x-queue-type"].(string)
	r := row{cells: [3]string{"queue", q.Name, kind}}
	switch {
	case q.Existing:
		r.cells[2] = "exists"
	case kind == "":
		r.cells[2] = "no type"
	}
	for _, name := range slices.Sorted(maps.Keys(q.Arguments)) {
		if name != "x-queue-type" {
			r.details = append(r.details, printArgument(name, q.Arguments[name]))
		}
	}
	if t.Scheme == Bunnicula && q.Delay > 0 {
		r.details = append(r.details, fmt.Sprintf("each message expires after %d ms", q.Delay.Milliseconds()))
	}
	return r
}

func (b Binding) row() row {
	r := row{cells: [3]string{"binding", b.Queue, "<- " + b.Exchange}, details: []string{fmt.Sprintf("%q", b.Key)}}
	for _, name := range slices.Sorted(maps.Keys(b.Arguments)) {
		r.details = append(r.details, printArgument(name, b.Arguments[name]))
	}
	return r
}

// printArgument quotes values that may be empty or contain blanks.
func printArgument(name string, value any) string {
	s, ok := value.(string)
	if !ok {
		return fmt.Sprintf("%s %v", name, value)
	}
	if s == "" || strings.HasSuffix(name, "-key") || strings.HasSuffix(name, "-exchange") {
		return fmt.Sprintf("%s %q", name, s)
	}
	return name + " " + s
}

func (r row) print(out *strings.Builder, widths [3]int) {
	start := fmt.Sprintf("%-*s  %-*s  %-*s  ", widths[0], r.cells[0], widths[1], r.cells[1], widths[2], r.cells[2])
	indent := strings.Repeat(" ", utf8.RuneCountInString(start))
	line := start
	for i, detail := range r.details {
		switch {
		case i == 0:
			line += detail
		case utf8.RuneCountInString(line+separator+detail) > printWidth:
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent + detail
		default:
			line += separator + detail
		}
	}
	out.WriteString(strings.TrimRight(line, " ") + "\n")
}
