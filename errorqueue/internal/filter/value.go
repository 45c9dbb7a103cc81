package filter

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/inflate"
)

// Key is a header or a path in a body, as a term names it. Two Keys of the same place are equal.
type Key struct {
	header string // its name, "" for a path
	path   string // its steps, as text
}

// KeyOfHeader returns the Key of a term with a header.
func KeyOfHeader(name string) Key { return Key{header: name} }

// KeyOfBody returns the Key of a term with a path.
func KeyOfBody(path string) (Key, error) {
	steps, err := parsePath(path)
	if err != nil {
		return Key{}, &Error{"Filter.Body.Path", path, err.Error()}
	}
	var text strings.Builder
	for _, s := range steps {
		if s.key == nil {
			text.WriteString("[" + strconv.Itoa(s.index) + "]")
			continue
		}
		text.WriteString("." + strconv.Quote(*s.key))
	}
	return Key{path: text.String()}, nil
}

// Reader reads the values of Keys. It is immutable.
type Reader struct {
	keys  []Key
	paths [][]step // by index, nil for a header
	body  bool     // some Key is a path
}

// NewReader makes a Reader of terms: each is a header, or else a path.
func NewReader(headers []bool, names []string) (*Reader, error) {
	r := &Reader{}
	for i, name := range names {
		if headers[i] {
			r.keys, r.paths = append(r.keys, KeyOfHeader(name)), append(r.paths, nil)
			continue
		}
		k, err := KeyOfBody(name)
		if err != nil {
			return nil, err
		}
		path, _ := parsePath(name) // it is one
		r.keys, r.paths, r.body = append(r.keys, k), append(r.paths, path), true
	}
	return r, nil
}

// ValueMost is how many bytes a Value has at most. A longer one is known to exist, and no more.
const ValueMost = 1024

// Value is what a message has at a Key, in a form that is compared without the message.
type Value struct {
	There bool
	Long  bool   // it is longer than ValueMost, and Text is empty
	Text  string // what it is: t for text, w for a word (true, false, null), n for a number, or c for others, and the value
}

// Key returns the Key at an index.
func (r *Reader) Key(i int) Key { return r.keys[i] }

// Len is how many Keys there are.
func (r *Reader) Len() int { return len(r.keys) }

// Read returns the values of a message, by the index of their Key.
func (r *Reader) Read(m *Message) []Value {
	all := make([]Value, len(r.keys))
	var body document
	if r.body {
		text, _, _ := inflate.View(m.Body, m.ContentEncoding, inflate.ViewMost) // with an error as it is
		body, _ = firstValue(text)
	}
	for i, k := range r.keys {
		if r.paths[i] == nil {
			if v, there := m.Headers[k.header]; there {
				all[i] = valueOf('t', headerText(v))
			}
			continue
		}
		if len(body) == 0 {
			continue
		}
		if d, there := body.at(r.paths[i]); there {
			all[i] = d.value()
		}
	}
	return all
}

func valueOf(kind byte, text string) Value {
	if len(text) > ValueMost {
		return Value{There: true, Long: true}
	}
	return Value{There: true, Text: string(kind) + text}
}

// value returns what equals compares.
func (d document) value() Value {
	long := Value{There: true, Long: true}
	compact, large := 0, len(d) > 1<<20
	if d[0] == '{' || d[0] == '[' {
		var b bytes.Buffer
		if large || json.Compact(&b, d) != nil || b.Len() > 6*ValueMost { // equals says no to each want up to ValueMost
			return long
		}
		d, compact = b.Bytes(), b.Len()
	}
	decoder := json.NewDecoder(bytes.NewReader(d))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return Value{There: true, Text: "-"} // equals nothing
	}
	switch v := v.(type) {
	case nil:
		return valueOf('w', "null")
	case bool:
		return valueOf('w', strconv.FormatBool(v))
	case string:
		return valueOf('t', v)
	case json.Number:
		return valueOf('n', v.String())
	}
	text, err := json.Marshal(v)
	if err != nil || len(text) > ValueMost {
		return long
	}
	return Value{There: true, Text: "c" + strconv.Itoa(compact) + ":" + string(text)}
}

// Equal says whether a term with this value chooses what has the Value. want has ValueMost bytes at
// most.
func (v Value) Equal(want string) bool {
	if !v.There || v.Long {
		return false
	}
	kind, text := v.Text[0], v.Text[1:]
	switch kind {
	case 't', 'w':
		return text == want
	case 'n':
		return text == want || !(isInteger(text) && isInteger(want)) && sameNumber(text, want)
	case 'c':
		size, text, _ := strings.Cut(text, ":")
		compact, err := strconv.Atoi(size)
		return err == nil && compact <= 6*len(want) && text == want // as document.equals
	}
	return false
}

// isInteger says whether text is a whole number in its one usual form.
func isInteger(text string) bool {
	if text == "" || text[0] == '0' && len(text) > 1 {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}
