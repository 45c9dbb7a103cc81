package main

import (
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Anybody may have written a parked message, and anybody may have named a queue. An error's text, a
// header, a body or a name may contain control sequences of a terminal. The cells of a table,
// folded text and errors are made plain where they are printed.

// Bounds of what is printed, in bytes. With --json all of it is printed.
const (
	maxLine = 4 << 10
	maxText = 64 << 10
)

// plain returns text as one line that a terminal displays without side effects.
func plain(s string) string { return foreign.Line(s, maxLine) }

// plainLines is like plain, but keeps line breaks and tabs.
func plainLines(s string) string { return foreign.Lines(s, maxText) }

// moment prints a time in UTC. A publisher may have written a number that is none, such as
// milliseconds.
func moment(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case !foreign.IsTime(t):
		return fmt.Sprintf("%d seconds after 1970", t.Unix())
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// known returns nil for an unknown time.
func known(t time.Time) *time.Time {
	if t = foreign.Known(t); t.IsZero() {
		return nil
	}
	return &t
}
