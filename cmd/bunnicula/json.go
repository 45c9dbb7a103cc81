package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printJSON prints v indented, or on one line if many follow each other.
func (a *app) printJSON(v any, many bool) error {
	text, err := jsonLine(v, many)
	if err == nil {
		_, err = a.out.Write(text)
	}
	return err
}

// jsonLine returns v as printJSON prints it.
func jsonLine(v any, many bool) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if !many {
		encoder.SetIndent("", "  ")
	}
	err := encoder.Encode(v)
	return harmless(text.Bytes()), err
}

// harmless returns JSON that means the same and that a terminal does not obey. JSON lets U+009B
// stand in a text as it is, with which a control sequence begins. Whatever is not printable becomes
// an escape, and what is not UTF-8 becomes U+FFFD.
func harmless(text []byte) []byte {
	if !bytes.ContainsFunc(text, isHarmful) {
		return text
	}
	safe := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case !isHarmful(r):
			safe = append(safe, text[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
		text = text[n:]
	}
	return safe
}

// isHarmful returns whether a rune does not stand in JSON as it is here. Those below U+0020 are
// between values only, where they are line breaks and tabs.
func isHarmful(r rune) bool { return r == utf8.RuneError || r > '~' && !unicode.IsPrint(r) }
