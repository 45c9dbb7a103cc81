package main

import (
	"strings"
	"unicode"
)

// Anybody may have written a parked message. An error's text, a header or a body may contain
// control sequences of a terminal.

// plain returns text as one line that a terminal displays without side effects: without line breaks
// and control characters.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return visible(r)
	}, s))
}

// plainLines is like plain, but keeps line breaks and tabs.
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
