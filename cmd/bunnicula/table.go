package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

const (
	lineWidth = 80 // characters of a line, unless the terminal is known to be wider
	narrow    = 12 // the least characters of a column of names
)

// table prints rows in columns. A column whose heading begins with ">" is aligned to the right. On
// a terminal, names are shortened in the middle so that a line fits. Cells and notes are made
// plain.
type table struct {
	heads   []string
	elastic []int // columns that can be shortened, in this order; nil is the first two
	rows    [][]string
	notes   map[int]string // lines under rows
}

func (t *table) add(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = plain(cell)
	}
	t.rows = append(t.rows, row)
}

// under adds a line under the last row. On a terminal the line is cut at the right.
func (t *table) under(note string) {
	if note = plain(note); note == "" {
		return
	}
	if t.notes == nil {
		t.notes = map[int]string{}
	}
	t.notes[len(t.rows)] = note
}

// print prints the table in lines of at most width characters; 0 is no limit.
func (t *table) print(out io.Writer, width int) {
	heads := make([]string, len(t.heads))
	right := make([]bool, len(t.heads))
	for i, h := range t.heads {
		heads[i] = strings.TrimPrefix(h, ">")
		right[i] = heads[i] != h
	}
	rows := append([][]string{heads}, t.rows...)
	widths := t.widths(rows, width)
	for n, row := range rows {
		fmt.Fprintln(out, align(row, widths, right))
		if note, ok := t.notes[n]; ok && n > 0 {
			const indent = "    "
			if width > 0 {
				note = cut(note, width-len(indent))
			}
			fmt.Fprintln(out, indent+note)
		}
	}
}

// widths returns the width of each column. Elastic columns are narrowed until a line fits into
// width.
func (t *table) widths(rows [][]string, width int) []int {
	widths := make([]int, len(t.heads))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	total := 2 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	elastic := t.elastic
	if elastic == nil {
		elastic = []int{0, 1}
	}
	for _, i := range elastic {
		if over := total - width; width > 0 && over > 0 && widths[i] > narrow {
			narrower := max(widths[i]-over, narrow)
			total -= widths[i] - narrower
			widths[i] = narrower
		}
	}
	return widths
}

// align writes the cells of one row in columns.
func align(row []string, widths []int, right []bool) string {
	var line strings.Builder
	for i, cell := range row {
		if i > 0 {
			line.WriteString("  ")
		}
		cell = shorten(cell, widths[i])
		if right[i] {
			fmt.Fprintf(&line, "%*s", widths[i], cell)
		} else {
			fmt.Fprintf(&line, "%-*s", widths[i], cell)
		}
	}
	return strings.TrimRight(line.String(), " ")
}

// cut shortens s at its end.
func cut(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return string(runes[:max(width-1, 0)]) + "…"
}

// shorten shortens s in its middle, because names of queues differ at both ends.
func shorten(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	tail := (width - 1) / 2
	return string(runes[:width-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

// fold makes text plain, and breaks it into lines of at most lineWidth, each after indent.
func fold(text, indent string) string {
	var out strings.Builder
	line := indent
	for _, word := range strings.Fields(foreign.Line(text, maxText)) {
		switch {
		case line == indent:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > lineWidth:
			out.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	return out.String() + line
}

// number prints a number if it is known.
func number(n *int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// width returns how many characters a line of a table may have: the terminal's width, or 0 for no
// limit if the output is not a terminal.
func (a *app) width() int {
	if !a.shows {
		return 0
	}
	return max(lineWidth, a.columns)
}

// paint colours text on a terminal, unless NO_COLOR is set.
func (a *app) paint(color, text string) string {
	if !a.shows || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" {
		return text
	}
	return color + text + "\x1b[0m"
}

const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	green  = "\x1b[32m"
)
