package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	lineWidth = 80 // what a line on a terminal may have, if that is not known to be wider
	narrow    = 12 // what a column of names has at least
)

// table prints rows in columns; those whose heading begins with ">" stand at the right. On a terminal
// names are shortened in the middle so that a line fits.
type table struct {
	heads   []string
	elastic []int // columns that can be shortened, in this order; nil is the first two
	rows    [][]string
	notes   map[int]string // lines under rows
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// under adds a line under the last row. On a terminal it is cut where it does not fit.
func (t *table) under(note string) {
	if note == "" {
		return
	}
	if t.notes == nil {
		t.notes = map[int]string{}
	}
	t.notes[len(t.rows)] = note
}

// print prints it, in lines of at most width, 0 for any.
func (t *table) print(out io.Writer, width int) {
	heads := make([]string, len(t.heads))
	right := make([]bool, len(t.heads))
	for i, h := range t.heads {
		heads[i] = strings.TrimPrefix(h, ">")
		right[i] = heads[i] != h
	}
	rows := append([][]string{heads}, t.rows...)
	widths := make([]int, len(heads))
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
	for n, row := range rows {
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
		fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
		if note, ok := t.notes[n]; ok && n > 0 {
			const indent = "    "
			if width > 0 {
				note = cut(note, width-len(indent))
			}
			fmt.Fprintln(out, indent+note)
		}
	}
}

// cut keeps the beginning.
func cut(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return string(runes[:max(width-1, 0)]) + "…"
}

// shorten keeps both ends: names of queues begin alike, and end alike.
func shorten(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	tail := (width - 1) / 2
	return string(runes[:width-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

// fold breaks text into lines of at most lineWidth, each behind indent.
func fold(text, indent string) string {
	var out strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
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

// number prints what is known.
func number(n *int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// width is what a line of a table may have: what the terminal has room for, and 0, which is any, where nobody looks.
func (a *app) width() int {
	if !a.shows {
		return 0
	}
	return max(lineWidth, a.columns)
}

// paint colours text, for a terminal whose owner wants it.
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

// printJSON prints v on a line of its own if it is one of many, else for people to read too.
func (a *app) printJSON(v any, many bool) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	if !many {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(v)
}
