package outbox

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// RowFilter chooses rows that match every field that is set. One match is enough in a list. The
// zero RowFilter chooses all rows.
type RowFilter struct {
	IDs           []string
	States        []State
	RoutingKeys   []string // with the default exchange, these are the queues
	Exchanges     []string
	Keys          []string
	Jobs          []string
	Needs         []string // the ids of rows that must be done first
	ErrorContains string   // a part of the last attempt's error, case-insensitive in ASCII

	// OlderThan and NewerThan compare the time since a row was put, by the database's clock.
	OlderThan time.Duration
	NewerThan time.Duration

	// Limit is how many rows at most, those that were put first. 0 is all of them.
	Limit int

	// All lets Retry and Discard choose all rows, where no field above it is set.
	All bool

	// DryRun makes Retry and Discard count, and change nothing.
	DryRun bool

	// Progress is called by Retry and Discard with how many of the chosen rows they have looked at.
	Progress func(done, of int)
}

// ErrNoFilter is the error of Retry and Discard for a RowFilter that chooses all rows and does not
// say All.
var ErrNoFilter = errors.New("outbox: no rows are chosen: set a field of RowFilter, or All")

// maxListed is how many values a list has at most. The databases limit the parameters of a
// statement.
const maxListed = 10_000

// IsZero says whether the RowFilter chooses all rows.
func (f RowFilter) IsZero() bool {
	return len(f.IDs)+len(f.States)+len(f.RoutingKeys)+len(f.Exchanges)+len(f.Keys)+len(f.Jobs)+len(f.Needs) == 0 &&
		f.ErrorContains == "" && f.OlderThan == 0 && f.NewerThan == 0
}

// lists are the lists of text, with the columns that they are compared with.
func (f RowFilter) lists() []textList {
	return []textList{
		{"IDs", "id", f.IDs},
		{"RoutingKeys", "routing_key", f.RoutingKeys},
		{"Exchanges", "exchange", f.Exchanges},
		{"Keys", "key", f.Keys},
		{"Jobs", "job", f.Jobs},
		{"Needs", "needs", f.Needs},
	}
}

type textList struct {
	field, column string
	values        []string
}

func (f RowFilter) check() error {
	var errs []error
	listed := len(f.States)
	for _, l := range f.lists() {
		listed += len(l.values)
		for _, v := range l.values {
			errs = append(errs, plainText(l.field, v))
		}
	}
	errs = append(errs, plainText("ErrorContains", f.ErrorContains))
	if listed > maxListed {
		errs = append(errs, fmt.Errorf("outbox: RowFilter has %d values, want %d at most", listed, maxListed))
	}
	for _, s := range f.States {
		if s < Waiting || s > Failed {
			errs = append(errs, fmt.Errorf("outbox: RowFilter.States has %d, want states from %d to %d", int(s), int(Waiting), int(Failed)))
		}
	}
	if f.OlderThan < 0 || f.NewerThan < 0 {
		errs = append(errs, fmt.Errorf("outbox: RowFilter.OlderThan is %s and NewerThan %s, want 0 or more", f.OlderThan, f.NewerThan))
	}
	if f.Limit < 0 {
		errs = append(errs, fmt.Errorf("outbox: RowFilter.Limit is %d, want 0 or more", f.Limit))
	}
	return errors.Join(errs...)
}

// toChange is check for Retry and Discard.
func (f RowFilter) toChange() error {
	if f.IsZero() && !f.All {
		return ErrNoFilter
	}
	return f.check()
}

// plainText refuses text with which PostgreSQL compares nothing: no row has it.
func plainText(field, value string) error {
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return fmt.Errorf("outbox: RowFilter.%s has %q, want UTF-8 without NUL", field, value)
	}
	return nil
}

// condition is what stands behind WHERE. Its parts are joined by AND.
type condition struct {
	parts []string
	args  []any
}

// and adds a part, in which each ? is the next of these values.
func (c *condition) and(part string, values ...any) {
	for _, v := range values {
		c.args = append(c.args, v)
		part = strings.Replace(part, "?", fmt.Sprintf("$%d", len(c.args)), 1)
	}
	c.parts = append(c.parts, "("+part+")")
}

// in adds that a column has one of these values.
func in[T any](c *condition, column string, values []T) {
	if len(values) == 0 {
		return
	}
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	c.and(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", all...)
}

func (c *condition) String() string {
	if len(c.parts) == 0 {
		return "true"
	}
	return strings.Join(c.parts, " AND ")
}

// condition makes the condition of the RowFilter.
func (f RowFilter) condition(d Dialect) *condition {
	c := new(condition)
	for _, l := range f.lists() {
		in(c, l.column, l.values)
	}
	var states []int64
	for _, s := range f.States {
		if states = append(states, int64(s)); s == Waiting {
			states = append(states, int64(taken))
		}
	}
	in(c, "state", states)
	if f.ErrorContains != "" {
		c.and(d.contains("error"), f.ErrorContains)
	}
	if f.OlderThan > 0 {
		c.and("put_at < "+d.earlier(), f.OlderThan.Microseconds())
	}
	if f.NewerThan > 0 {
		c.and("put_at > "+d.earlier(), f.NewerThan.Microseconds())
	}
	return c
}

// contains compares a column with a part of its text.
func (d Dialect) contains(column string) string {
	if d == Postgres {
		return "position(lower(CAST(? AS text)) IN lower(" + column + ")) > 0"
	}
	return "instr(lower(" + column + "), lower(?)) > 0"
}

// earlier is the time so many microseconds ago.
func (d Dialect) earlier() string {
	if d == Postgres {
		return "@now - CAST(? AS bigint) * interval '1 microsecond'"
	}
	return "@now - ?"
}
