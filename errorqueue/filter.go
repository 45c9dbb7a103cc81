package errorqueue

import (
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
)

// Filter chooses messages that match every field that is set. One match is enough in a list. The
// zero Filter chooses all messages. [ParseFilter] makes a Filter of text.
type Filter struct {
	Reasons       []string // "timeout", "panic", "delivery_limit", ...
	ErrorTypes    []string // "*net.OpError", ...
	ErrorContains string   // a part of the error's text, case-insensitive
	Groups        []string

	IDs       []string // message ids
	Consumers []string
	Hosts     []string
	Apps      []string
	Versions  []string // of apps
	Targets   []string // the queues from which messages came

	RedriveIDs []string // of redrives that have moved messages, which are parked again
	Marks      []string // see Message.Mark

	// OlderThan and NewerThan compare the time since a message was parked, or, if that is unknown,
	// the time since it was published. A message without either time does not match.
	OlderThan time.Duration
	NewerThan time.Duration

	// Before and After compare the same time: messages from before Before match, and those from
	// After on. So a day is two midnights. A message without a time does not match.
	Before time.Time
	After  time.Time

	Headers []HeaderMatch
	Body    []BodyMatch
}

// HeaderMatch matches a header of the user.
type HeaderMatch struct {
	Name   string
	Exists bool   // the header must exist, with any value; Value is ignored
	Value  string // the header's value as text: "42" matches the number 42
}

// BodyMatch matches a value in a JSON body, also one that is compressed: see Message.Decoded.
type BodyMatch struct {
	Path   string // such as "user.id", "$.items[0].sku" or "$['odd name']"
	Exists bool   // a value must exist at the path; Value is ignored
	Value  string // the value as text: "42" matches 42, 42.0 and "42"; "null", "true"
}

// ParseFilter makes a Filter of text, for a command or a web page:
//
//	reason=timeout older=2h body.user.id=42 error~"connection refused"
//
// Terms are separated by spaces, and a message must match all of them. A value with spaces, commas
// or quotes is written in double quotes, as in Go. These are the terms:
//
//	reason=a,b   type=a,b   group=a,b   id=a,b   consumer=a,b
//	host=a,b     app=a,b    version=a,b queue=a,b
//	redrive=a,b          parked again after the redrive of this id
//	mark=a,b             a message's mark: see Message.Mark
//	error~text           a part of the error's text
//	older=2h  newer=3d   parked longer ago, less long ago: 90s, 15m, 2h30m, 3d
//	before=2026-11-02    parked before a time: RFC 3339 (2026-11-01T10:31:00+01:00),
//	after=2026-11-01     parked then or later; a date is its midnight in UTC
//	header.NAME=value    header.NAME  a user's header, and that it exists
//	body.PATH=value      body.PATH    a value in a JSON body, and that it exists
//	body.items[0].sku=A-1             a PATH leads through objects and arrays
//
// A term with a list may occur twice: a message needs to match one value of both. Text without
// terms is the zero Filter. The error is a *FieldError that names the term and its value.
func ParseFilter(text string) (Filter, error) {
	f, err := filter.Parse(text)
	return filterOf(f), fieldError(err)
}

// ParseTerms is [ParseFilter] for separate terms, such as the arguments of a command. A shell has
// removed the quotes, so the value is everything after the = or ~: error~connection refused. An
// argument that can be read as several terms is an error, because it may not be the choice that was
// meant.
func ParseTerms(terms ...string) (Filter, error) {
	f, err := filter.ParseTerms(terms...)
	return filterOf(f), fieldError(err)
}

// IsZero says whether the Filter chooses all messages.
func (f Filter) IsZero() bool { return f.terms().IsZero() }

// String returns the Filter as text for [ParseFilter]; "" for the zero Filter.
func (f Filter) String() string { return f.terms().String() }

// at makes the Matcher of the Filter at one moment.
func (f Filter) at(now time.Time) (*filter.Matcher, error) {
	m, err := f.terms().At(now)
	return m, fieldError(err)
}

// terms converts the Filter to the type of package filter.
func (f Filter) terms() filter.Filter {
	t := filter.Filter{
		Reasons: f.Reasons, ErrorTypes: f.ErrorTypes, ErrorContains: f.ErrorContains, Groups: f.Groups,
		IDs: f.IDs, Consumers: f.Consumers, Hosts: f.Hosts, Apps: f.Apps, Versions: f.Versions, Targets: f.Targets,
		RedriveIDs: f.RedriveIDs, Marks: f.Marks,
		OlderThan: f.OlderThan, NewerThan: f.NewerThan, Before: f.Before, After: f.After,
	}
	for _, h := range f.Headers {
		t.Headers = append(t.Headers, filter.Header(h))
	}
	for _, b := range f.Body {
		t.Body = append(t.Body, filter.Body(b))
	}
	return t
}

// filterOf converts the type of package filter to a Filter.
func filterOf(t filter.Filter) Filter {
	f := Filter{
		Reasons: t.Reasons, ErrorTypes: t.ErrorTypes, ErrorContains: t.ErrorContains, Groups: t.Groups,
		IDs: t.IDs, Consumers: t.Consumers, Hosts: t.Hosts, Apps: t.Apps, Versions: t.Versions, Targets: t.Targets,
		RedriveIDs: t.RedriveIDs, Marks: t.Marks,
		OlderThan: t.OlderThan, NewerThan: t.NewerThan, Before: t.Before, After: t.After,
	}
	for _, h := range t.Headers {
		f.Headers = append(f.Headers, HeaderMatch(h))
	}
	for _, b := range t.Body {
		f.Body = append(f.Body, BodyMatch(b))
	}
	return f
}

// fieldError converts an error of package filter to the public type, with the same text.
func fieldError(err error) error {
	var wrong *filter.Error
	if !errors.As(err, &wrong) {
		return err
	}
	public := FieldError(*wrong)
	if error(wrong) == err { //nolint:errorlint // only the outermost is the error itself
		return &public
	}
	return fmt.Errorf("filter: %w", &public)
}
