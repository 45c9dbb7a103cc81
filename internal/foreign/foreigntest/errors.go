// Package foreigntest has the errors that harm whoever trusts an error's methods.
package foreigntest

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Errors returns errors that a handler can return by mistake, or that a library can hand on, by
// what is wrong with them.
func Errors() map[string]error {
	round := new(circle)
	round.next = round
	garbled := "caf\xe9: \x1b[2J\x00\r\n"
	return map[string]error{
		"a nil pointer":             (*nilPointer)(nil),
		"a wrapped nil pointer":     fmt.Errorf("charge: %w", (*nilPointer)(nil)),
		"a joined nil pointer":      errors.Join(errors.New("charge"), (*nilPointer)(nil)),
		"panics in every method":    panics{"every"},
		"panics in Is, As, Unwrap":  panics{"chain"},
		"panics when it is written": panics{"written"},
		"ten megabytes":             errors.New(strings.Repeat("0123456789", 1<<20)),
		"not UTF-8":                 errors.New(garbled),
		"wraps what is not UTF-8":   fmt.Errorf("%q: %w", "name", errors.New(garbled)),
		"a circle":                  round,
		"a wrapped circle":          fmt.Errorf("charge: %w", round),
		"a wide circle":             wide{},
		"no text":                   errors.New(""),
		"cannot be compared":        list{errors.New("first")},
	}
}

// nilPointer is an error whose methods need what they point to.
type nilPointer struct{ text string }

func (n *nilPointer) Error() string        { return n.text }
func (n *nilPointer) Unwrap() error        { return errors.New(n.text) }
func (n *nilPointer) Is(err error) bool    { return n.text == err.Error() }
func (n *nilPointer) As(any) bool          { return n.text == "" }
func (n *nilPointer) ErrorType() string    { return n.text }
func (n *nilPointer) LogValue() slog.Value { return slog.StringValue(n.text) }
func (n *nilPointer) StackTrace() string   { return n.text }

// panics is an error whose methods panic: those that say what is in a chain, those that loggers and
// encoders look for, or every one.
type panics struct{ which string }

func (p panics) in(which string) {
	if p.which == which || p.which == "every" {
		panic("a method of an error")
	}
}

func (p panics) Error() string {
	p.in("every")
	return "it panics in " + p.which
}

func (p panics) Unwrap() error                { p.in("chain"); return nil }
func (p panics) Is(error) bool                { p.in("chain"); return false }
func (p panics) As(any) bool                  { p.in("chain"); return false }
func (p panics) String() string               { p.in("written"); return p.which }
func (p panics) ErrorType() string            { p.in("written"); return p.which }
func (p panics) LogValue() slog.Value         { p.in("written"); return slog.StringValue(p.which) }
func (p panics) MarshalText() ([]byte, error) { p.in("written"); return []byte(p.which), nil }
func (p panics) MarshalJSON() ([]byte, error) { p.in("written"); return []byte("{}"), nil }

// circle is an error that wraps itself.
type circle struct{ next *circle }

func (*circle) Error() string   { return "a circle" }
func (c *circle) Unwrap() error { return c.next }

// wide is an error that wraps itself several times.
type wide struct{}

func (wide) Error() string   { return "a wide circle" }
func (wide) Unwrap() []error { return []error{wide{}, nil, wide{}} }

// list is an error that == panics on.
type list []error

func (list) Error() string { return "a list" }
