package filter

import (
	"bytes"
	"encoding/json"
)

// A body may be a bomb: 16 KiB of gzip that inflate to 16 MiB of JSON, of which encoding/json would
// make half a gigabyte of values. So a path is followed in the text, and only what it leads to is
// made a value.

// document is the text of one JSON value that is valid, without space around it.
type document []byte

// UnmarshalJSON keeps the text that the decoder has found to be valid. It does not copy it: nothing
// else is read from that decoder.
func (d *document) UnmarshalJSON(text []byte) error {
	*d = text
	return nil
}

// firstValue returns the first JSON value of a text. What follows it does not matter.
func firstValue(text []byte) (document, bool) {
	if json.Valid(text) { // which needs no memory
		return bytes.Trim(text, " \t\n\r"), true
	}
	var d document
	err := json.NewDecoder(bytes.NewReader(text)).Decode(&d)
	if err == nil && d == nil { // encoding/json calls no method for null
		d = document("null")
	}
	return d, err == nil
}

// at follows a path.
func (d document) at(path []step) (document, bool) {
	for _, s := range path {
		var ok bool
		if d, ok = d.child(s); !ok {
			return nil, false
		}
	}
	return d, true
}

// child takes one step. Of several keys that are equal the last one counts, as in encoding/json.
func (d document) child(s step) (found document, ok bool) {
	opening := byte('[')
	if s.key != nil {
		opening = '{'
	}
	if d[0] != opening {
		return nil, false
	}
	for index, pos := 0, d.afterSpace(1); d[pos] != ']' && d[pos] != '}'; index++ {
		isKey := s.key == nil && index == s.index
		if s.key != nil {
			end := d.afterString(pos)
			isKey = isText(d[pos:end], *s.key)
			pos = d.afterSpace(d.afterSpace(end) + 1) // behind the colon
		}
		end := d.afterValue(pos)
		if isKey {
			found, ok = d[pos:end], true
		}
		if ok && s.key == nil {
			break
		}
		if pos = d.afterSpace(end); d[pos] == ',' {
			pos = d.afterSpace(pos + 1)
		}
	}
	return found, ok
}

// isText returns whether a JSON text has this value.
func isText(quoted []byte, want string) bool {
	if len(quoted) > 6*len(want)+2 { // each byte as \u0061
		return false
	}
	var text string
	return json.Unmarshal(quoted, &text) == nil && text == want
}

// afterSpace returns where the space that may be at pos has ended.
func (d document) afterSpace(pos int) int {
	for pos < len(d) && (d[pos] == ' ' || d[pos] == '\t' || d[pos] == '\n' || d[pos] == '\r') {
		pos++
	}
	return pos
}

// afterString returns where the text that begins at pos has ended.
func (d document) afterString(pos int) int {
	for pos++; d[pos] != '"'; pos++ {
		if d[pos] == '\\' {
			pos++
		}
	}
	return pos + 1
}

// afterValue returns where the value that begins at pos has ended.
func (d document) afterValue(pos int) int {
	for depth := 0; pos < len(d); {
		switch d[pos] {
		case '"':
			pos = d.afterString(pos)
		case '{', '[':
			depth++
			pos++
			continue
		case '}', ']':
			depth--
			pos++
		case ',', ':', ' ', '\t', '\n', '\r':
			pos++
			continue
		default: // a number, true, false or null
			if n := bytes.IndexAny(d[pos:], ",]} \t\n\r"); n >= 0 {
				pos += n
			} else {
				pos = len(d)
			}
		}
		if depth == 0 {
			return pos
		}
	}
	return pos
}

// equals returns whether a value is what a person has written. An object or a list is written
// without spaces and with sorted keys.
func (d document) equals(want string) bool {
	if d[0] == '{' || d[0] == '[' {
		var compact bytes.Buffer
		if json.Compact(&compact, d) != nil || compact.Len() > 6*len(want) { // each byte as \u0061
			return false
		}
		d = compact.Bytes()
	}
	decoder := json.NewDecoder(bytes.NewReader(d))
	decoder.UseNumber() // a float64 cannot distinguish large ids
	var v any
	return decoder.Decode(&v) == nil && equalText(v, want)
}
