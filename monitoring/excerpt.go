package monitoring

import (
	"strconv"
	"unicode/utf8"
)

// Excerpt returns at most the first n bytes of the body, for people to read. It is cut between two
// runes. A body that is not UTF-8 is quoted in Go's syntax, and the quoted text can be longer than
// n bytes. With n at or below 0 the Excerpt is empty.
func (d Delivery) Excerpt(n int) string {
	if n <= 0 {
		return ""
	}
	b := d.Body
	if len(b) > n {
		b = cutBeforeRune(b[:n])
	}
	if !utf8.Valid(b) {
		return strconv.Quote(string(b))
	}
	return string(b)
}

// cutBeforeRune removes an incomplete rune from the end of b.
func cutBeforeRune(b []byte) []byte {
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		tail := b[len(b)-back:]
		if !utf8.RuneStart(tail[0]) {
			continue
		}
		if !utf8.FullRune(tail) {
			return b[:len(b)-back]
		}
		return b
	}
	return b
}
