package foreign

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ellipsis is appended to a text that was cut.
const ellipsis = "…"

// Cut shortens s to at most n bytes. It cuts between two runes and appends an ellipsis. It replaces
// bytes that are not UTF-8, and keeps control characters: its result is for headers, JSON, spans
// and events.
func Cut(s string, n int) string {
	s, cut := prefix(s, n)
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if len(s) <= n && !cut {
		return s
	}
	if n -= len(ellipsis); n < 0 {
		return ""
	}
	n = min(n, len(s))
	for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + ellipsis
}

// prefix drops what no result of n bytes can show, so that ten megabytes are not copied for a
// header. A run of bytes that are not UTF-8 becomes one rune, so more than n bytes are left.
func prefix(s string, n int) (string, bool) {
	if n >= len(s) {
		return s, false
	}
	most := 4*max(n, 0) + utf8.UTFMax
	if len(s) <= most {
		return s, false
	}
	return s[:most], true
}

// Line is Cut for a place that shows one line, such as a log or a row of a table. Its result has
// neither line breaks nor control characters, nor characters that a terminal does not print.
func Line(s string, n int) string {
	if len(s) <= n && isPlain(s) {
		return s
	}
	s, cut := prefix(s, n)
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return visible(r)
	}, s))
	if cut {
		return Cut(s+ellipsis, n)
	}
	return Cut(s, n)
}

// Lines is Line for a place that shows several lines. It keeps line breaks and tabs.
func Lines(s string, n int) string {
	s, cut := prefix(s, n)
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, s)
	if cut {
		return Cut(s+ellipsis, n)
	}
	return Cut(s, n)
}

// isPlain returns whether Line has nothing to do for s. Most names and ids are plain.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// visible returns a rune that a terminal shows without side effects. A byte that is not UTF-8
// arrives as utf8.RuneError, which is visible.
func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '·'
}
