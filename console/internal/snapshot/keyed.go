package snapshot

import "github.com/bunnicula-go/bunnicula/errorqueue"

// A row has one place in columns.texts for each term of Config.Index, plus taken.
const (
	nothing uint32 = iota // is there
	tooLong               // to be kept: something is there
	taken                 // numbers of no text
)

// keyed adds the values of a message's terms to the last row.
func (c *columns) keyed(values []errorqueue.Value, took *int64) {
	if c.n%chunk == 0 {
		c.keys = append(c.keys, make([]uint32, chunk*len(values)))
	}
	row := c.keys[c.n/chunk][c.n%chunk*len(values):]
	for i, v := range values {
		switch {
		case !v.There:
			row[i] = nothing
		case v.Text == "":
			row[i] = tooLong
		default:
			row[i] = taken + c.text(v.Text, took)
		}
	}
	*took += 4 * int64(len(values))
}

// tested is the header. and body. terms of a filter, for rows.
type tested struct {
	view  view
	terms int // of Config.Index
	tests []errorqueue.Test
}

// pass says whether a row has what the terms want.
func (t tested) pass(row int32) bool {
	if len(t.tests) == 0 {
		return true
	}
	values := t.view.keys[row/chunk][int(row%chunk)*t.terms:]
	for _, test := range t.tests {
		v := errorqueue.Value{There: true}
		switch at := values[test.Index]; at {
		case nothing:
			v.There = false
		case tooLong:
		default:
			v.Text = t.view.texts[at-taken]
		}
		if !test.Passes(v) {
			return false
		}
	}
	return true
}

// tested returns the tests of a filter, and what is left of it. The error is ErrNotIndexed if the
// index lacks a term.
func (s *Snapshot) tested(v view, f errorqueue.Filter) (tested, errorqueue.Filter, error) {
	if len(f.Headers)+len(f.Body) == 0 {
		return tested{}, f, nil
	}
	if s.index == nil {
		return tested{}, f, ErrNotIndexed
	}
	tests, ok := s.index.Tests(f)
	if !ok {
		return tested{}, f, ErrNotIndexed
	}
	f.Headers, f.Body = nil, nil
	return tested{v, s.index.Len(), tests}, f, nil
}
