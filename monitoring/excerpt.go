package monitoring

import (
	"strconv"
	"unicode/utf8"
)

// Excerpt returns at most the first n bytes of the body, for people to read. It is cut
// before a rune that would not fit whole. Bytes that are not UTF-8 are shown quoted, in
// Go's syntax, and may then take more than n bytes. With n at or below 0 it is empty.
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

// cutBeforeRune takes away a rune that b ends in the middle of.
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
