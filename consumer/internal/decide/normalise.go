package decide

import "strings"

// normalise puts # in place of ids, numbers and quoted names, which differ between two failures of
// the same kind. It is a regular expression written out by hand, and a test compares the two. It
// takes a twentieth of the regular expression's time (BenchmarkNormalise), and runs for each
// failure.
func normalise(message string) string {
	var b strings.Builder
	kept := 0
	for i := 0; i < len(message); {
		n := varying(message, i)
		if n == 0 {
			i++
			continue
		}
		b.WriteString(message[kept:i])
		b.WriteByte('#')
		i += n
		kept = i
	}
	if kept == 0 {
		return message
	}
	b.WriteString(message[kept:])
	return b.String()
}

// varying returns the length of the id, number or quoted name that begins at i, or 0 if none does.
func varying(s string, i int) int {
	switch c := s[i]; {
	case c == '"' || c == '\'':
		if end := strings.IndexByte(s[i+1:], c); end >= 0 {
			return end + 2
		}
		return 0
	case !isHex(c):
		return 0
	}
	rest := s[i:]
	if isUUID(rest) {
		return uuidLength
	}
	if strings.HasPrefix(rest, "0x") {
		if digits := span(rest[2:], isHex); digits > 0 {
			return 2 + digits
		}
	}
	if i == 0 || !isWord(s[i-1]) { // only where a word begins: else a long one takes quadratic time
		run := span(rest, isHex)
		ends := run == len(rest) || !isWord(rest[run])
		if ends && run >= 8 && strings.ContainsAny(rest[:run-7], "0123456789") {
			return run // a hash or an id without hyphens; a word of hex letters has no digit
		}
	}
	return span(rest, isDigit)
}

const uuidLength = 36

// isUUID returns whether s begins with 8 hex digits, a hyphen and 27 hex digits or hyphens.
func isUUID(s string) bool {
	return len(s) >= uuidLength && s[8] == '-' && span(s[:8], isHex) == 8 &&
		span(s[9:uuidLength], func(c byte) bool { return c == '-' || isHex(c) }) == uuidLength-9
}

// span returns how many bytes at the beginning of s are such that such is true.
func span(s string, such func(byte) bool) int {
	for i := range len(s) {
		if !such(s[i]) {
			return i
		}
	}
	return len(s)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
func isWord(c byte) bool  { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }
