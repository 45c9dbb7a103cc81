package wire

import (
	"strconv"
	"strings"
)

// Word is a short property as an error shows it: as it is if it consists of plain characters, else quoted.
// Failures are grouped by their texts without what is quoted, so a content type should not be.
func Word(s string) string {
	s = Cut(s, 60)
	plain := func(r rune) bool { return r > ' ' && r < 0x7f && r != '"' && r != '\'' || r == ' ' }
	if s == "" || strings.TrimFunc(s, plain) != "" {
		return strconv.Quote(s)
	}
	return s
}
