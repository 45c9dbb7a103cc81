package main

import (
	"strings"
	"unicode"
)

// What is parked was written by anybody: an error's text, a header or a body may hold what a terminal takes for an order.

// plain is text for a line: without line breaks, and nothing in it that a terminal would not just show.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return visible(r)
	}, s))
}

// plainLines is such text with its lines and tabs.
func plainLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, s)
}

func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '·'
}
