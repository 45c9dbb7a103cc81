package filter

import (
	"fmt"
	"time"
)

// Filter chooses messages that match every field that is set. One match is enough in a list.
type Filter struct {
	Reasons       []string
	ErrorTypes    []string
	ErrorContains string // case-insensitive
	Groups        []string

	IDs       []string
	Consumers []string
	Hosts     []string
	Apps      []string
	Versions  []string
	Targets   []string

	RedriveIDs []string
	Marks      []string

	OlderThan time.Duration // 0 is any age
	NewerThan time.Duration

	Before time.Time // zero is any time
	After  time.Time // this time matches too

	Headers []Header
	Body    []Body
}

// Header matches a header.
type Header struct {
	Name   string
	Exists bool   // any value matches
	Value  string // without Exists
}

// Body matches a value in a JSON body, as inflate.View shows it.
type Body struct {
	Path   string
	Exists bool   // any value matches
	Value  string // without Exists
}

// Message holds the values of a message that filters look at.
type Message struct {
	ID, Reason, Type, Error, Group          string
	Consumer, Host, App, AppVersion, Target string
	RedriveID, Mark                         string
	// When the message was parked: its age counts from then. If it is zero, the message has no age.
	Since   time.Time
	Headers map[string]any
	Body    []byte

	ContentEncoding string // of Body, which is inflated if somebody looks for a value in it
}

// lists are the fields with several values, in the order in which text has them.
var lists = []struct {
	key   string // in a text
	of    func(*Filter) *[]string
	value func(*Message) string
}{
	{"reason", func(f *Filter) *[]string { return &f.Reasons }, func(m *Message) string { return m.Reason }},
	{"type", func(f *Filter) *[]string { return &f.ErrorTypes }, func(m *Message) string { return m.Type }},
	{"group", func(f *Filter) *[]string { return &f.Groups }, func(m *Message) string { return m.Group }},
	{"id", func(f *Filter) *[]string { return &f.IDs }, func(m *Message) string { return m.ID }},
	{"consumer", func(f *Filter) *[]string { return &f.Consumers }, func(m *Message) string { return m.Consumer }},
	{"host", func(f *Filter) *[]string { return &f.Hosts }, func(m *Message) string { return m.Host }},
	{"app", func(f *Filter) *[]string { return &f.Apps }, func(m *Message) string { return m.App }},
	{"version", func(f *Filter) *[]string { return &f.Versions }, func(m *Message) string { return m.AppVersion }},
	{"queue", func(f *Filter) *[]string { return &f.Targets }, func(m *Message) string { return m.Target }},
	{"redrive", func(f *Filter) *[]string { return &f.RedriveIDs }, func(m *Message) string { return m.RedriveID }},
	{"mark", func(f *Filter) *[]string { return &f.Marks }, func(m *Message) string { return m.Mark }},
}

// list returns the field of a key that takes several values, nil for other keys.
func (f *Filter) list(key string) *[]string {
	for _, l := range lists {
		if l.key == key {
			return l.of(f)
		}
	}
	return nil
}

// IsZero says whether the Filter chooses all messages.
func (f Filter) IsZero() bool {
	for _, l := range lists {
		if len(*l.of(&f)) > 0 {
			return false
		}
	}
	timeless := f.OlderThan == 0 && f.NewerThan == 0 && f.Before.IsZero() && f.After.IsZero()
	return timeless && len(f.Headers)+len(f.Body) == 0 && f.ErrorContains == ""
}

// Error says which field or term is wrong.
type Error struct {
	Field string
	Value string
	Want  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s is %q, want %s", e.Field, e.Value, e.Want) }
