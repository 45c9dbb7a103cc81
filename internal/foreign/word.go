package foreign

import (
	"strconv"
	"strings"
)

// Word returns a short property for an error: unquoted if it consists of plain characters,
// otherwise quoted. Failures are grouped by their texts without quoted parts, so a content type
// should stay unquoted.
func Word(s string) string {
	s = Cut(s, 60)
	plain := func(r rune) bool { return r > ' ' && r < 0x7f && r != '"' && r != '\'' || r == ' ' }
	if s == "" || strings.TrimFunc(s, plain) != "" {
		return strconv.Quote(s)
	}
	return s
}
