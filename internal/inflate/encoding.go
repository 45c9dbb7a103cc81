package inflate

import (
	"slices"
	"strings"
)

// Encoding is a content encoding, taken apart.
type Encoding struct {
	Gzip int    // how many layers of gzip are outermost
	Rest string // what else the list names, in its order; without identity

	// Unknown is the outermost name in Rest that stands for other bytes. It is "" if all names in
	// Rest are of plain text, such as utf-8.
	Unknown string
}

// plain are names that do not stand for other bytes. Some clients write the encoding of the text
// there: Spring AMQP writes UTF-8, Celery utf-8 and binary.
var plain = []string{"identity", "utf-8", "utf8", "us-ascii", "ascii", "binary"}

// Parse takes a content encoding apart: a name, or a list in the order in which the encodings were
// applied. Case does not matter, x-gzip is gzip, and an element without a name is none. Spring AMQP
// writes "gzip, UTF-8", in the other order, and "gzip:UTF-8" in older versions: names of plain text
// may stand anywhere, and a colon separates too.
func Parse(contentEncoding string) Encoding {
	if contentEncoding == "" {
		return Encoding{}
	}
	names := strings.FieldsFunc(contentEncoding, func(r rune) bool { return r == ',' || r == ':' })
	var e Encoding
	var rest []string // the outermost first
	for _, name := range slices.Backward(names) {
		name = strings.TrimSpace(name)
		lower := strings.ToLower(name)
		switch {
		case lower == "" || lower == "identity":
		case (lower == "gzip" || lower == "x-gzip") && e.Unknown == "":
			e.Gzip++
		default:
			if e.Unknown == "" && !slices.Contains(plain, lower) {
				e.Unknown = name
			}
			rest = append(rest, name)
		}
	}
	slices.Reverse(rest)
	e.Rest = strings.Join(rest, ", ")
	return e
}
