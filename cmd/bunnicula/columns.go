package main

import (
	"bytes"
	"fmt"
	"strings"
)

// columns prints rows that come one after the other. The first of them decide the widths. A column
// whose heading begins with ">" is aligned to the right. The last one is as wide as its text. Cells
// are made plain.
type columns struct {
	out   *bytes.Buffer
	width int // of a line, 0 for no limit
	heads []string
	first [][]string // rows that wait for flush
	sizes []int
}

// measured is how many rows decide the widths.
const measured = 100

func (c *columns) add(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = plain(cell)
	}
	if c.sizes != nil {
		c.line(row)
		return
	}
	if c.first = append(c.first, row); len(c.first) == measured {
		c.flush()
	}
}

// flush decides the widths, and prints the rows that have waited.
func (c *columns) flush() {
	if len(c.first) == 0 {
		return
	}
	heads := make([]string, len(c.heads))
	for i, h := range c.heads {
		heads[i] = strings.TrimPrefix(h, ">")
	}
	all := append([][]string{heads}, c.first...)
	c.sizes = make([]int, len(heads))
	for _, row := range all {
		for i, cell := range row[:len(row)-1] {
			c.sizes[i] = max(c.sizes[i], len([]rune(cell)))
		}
	}
	for _, row := range all {
		c.line(row)
	}
	c.first = nil
}

func (c *columns) line(row []string) {
	var line strings.Builder
	last := len(row) - 1
	for i, cell := range row[:last] {
		if strings.HasPrefix(c.heads[i], ">") {
			fmt.Fprintf(&line, "%*s  ", c.sizes[i], cell)
		} else {
			fmt.Fprintf(&line, "%-*s  ", c.sizes[i], cell)
		}
	}
	text := line.String() + row[last]
	if c.width > 0 {
		text = cut(text, c.width)
	}
	c.out.WriteString(strings.TrimRight(text, " "))
	c.out.WriteByte('\n')
}
