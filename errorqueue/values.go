package errorqueue

import (
	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
)

// Values reads the values at which header. and body. terms look, so that an index can keep them
// beside a message and apply these terms without it. It is immutable.
type Values struct {
	reader *filter.Reader
	index  map[filter.Key]int
}

// NewValues makes Values of terms without their values, such as header.tenant or body.order.id. The
// error is a *FieldError.
func NewValues(terms ...string) (*Values, error) {
	var headers []bool
	var names []string
	for _, t := range terms {
		f, err := ParseTerms(t)
		if err != nil {
			return nil, err
		}
		switch {
		case len(f.Headers) == 1 && f.Headers[0].Exists:
			headers, names = append(headers, true), append(names, f.Headers[0].Name)
		case len(f.Body) == 1 && f.Body[0].Exists:
			headers, names = append(headers, false), append(names, f.Body[0].Path)
		default:
			return nil, &FieldError{"a term", t, "header.NAME or body.PATH, without a value"}
		}
	}
	reader, err := filter.NewReader(headers, names)
	if err != nil {
		return nil, fieldError(err)
	}
	v := &Values{reader: reader, index: map[filter.Key]int{}}
	for i := range names {
		v.index[reader.Key(i)] = i
	}
	return v, nil
}

// Len is how many terms there are.
func (v *Values) Len() int { return v.reader.Len() }

// Value is what a message has at one term.
type Value struct {
	There bool

	// Text is the value in a form of its own. It is empty if nothing is there, or if the value is
	// longer than 1 KiB.
	Text string
}

// Read returns the values of a message, in the order of the terms.
func (v *Values) Read(m *Message) []Value {
	s := m.subject()
	all := make([]Value, 0, v.Len())
	for _, x := range v.reader.Read(&s) {
		all = append(all, Value{There: x.There, Text: x.Text})
	}
	return all
}

// Test is one header. or body. term of a Filter, for the values that Read returns.
type Test struct {
	Index  int // of the term whose value it looks at
	exists bool
	want   string
}

// Tests returns the header. and body. terms of a Filter as Tests, false if one of them looks at
// something else, or compares with more than 1 KiB. A message that passes all matches these terms.
func (v *Values) Tests(f Filter) ([]Test, bool) {
	var all []Test
	for _, h := range f.Headers {
		i, known := v.index[filter.KeyOfHeader(h.Name)]
		if !known || len(h.Value) > filter.ValueMost {
			return nil, false
		}
		all = append(all, Test{i, h.Exists, h.Value})
	}
	for _, b := range f.Body {
		key, err := filter.KeyOfBody(b.Path)
		if err != nil {
			return nil, false
		}
		i, known := v.index[key]
		if !known || len(b.Value) > filter.ValueMost {
			return nil, false
		}
		all = append(all, Test{i, b.Exists, b.Value})
	}
	return all, true
}

// Passes says whether a value at the Test's index is what the term wants.
func (t Test) Passes(v Value) bool {
	if t.exists {
		return v.There
	}
	return filter.Value{There: v.There, Long: v.Text == "", Text: v.Text}.Equal(t.want)
}
