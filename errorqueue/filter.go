package errorqueue

import (
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
)

// Filter chooses messages: those that fit every field that is set. Of a list, one value must fit.
// The zero Filter chooses all. [ParseFilter] makes one of text.
type Filter struct {
	Reasons       []string // "timeout", "panic", "delivery_limit", ...
	ErrorTypes    []string // "*net.OpError", ...
	ErrorContains string   // a part of the error's text, regardless of case
	Groups        []string

	IDs       []string // message ids
	Consumers []string
	Hosts     []string
	Apps      []string
	Versions  []string // of apps
	Targets   []string // the queues that messages came from

	// OlderThan and NewerThan compare how long ago a message was parked, or, if it does not say
	// that, how long ago it was published. A message that says neither fits no age.
	OlderThan time.Duration
	NewerThan time.Duration

	Headers []HeaderMatch
	Body    []BodyMatch
}

// HeaderMatch asks for a user's header.
type HeaderMatch struct {
	Name   string
	Exists bool   // the header must be there, with any value; Value is ignored then
	Value  string // what the header must be, as text: "42" fits the number 42
}

// BodyMatch asks for a value in a JSON body.
type BodyMatch struct {
	Path   string // such as "user.id", "$.items[0].sku" or "$['odd name']"
	Exists bool   // there must be a value at the path; Value is ignored then
	Value  string // what it must be, as text: "42" fits 42, 42.0 and "42"; "null", "true"
}

// ParseFilter makes a Filter of text, for a command or a web page:
//
//	reason=timeout older=2h body.user.id=42 error~"connection refused"
//
// Terms are separated by spaces, and all of them must fit. A value with spaces, commas or quotes is
// written in double quotes, as in Go. These are the terms:
//
//	reason=a,b   type=a,b   group=a,b   id=a,b   consumer=a,b   host=a,b   app=a,b   version=a,b   queue=a,b
//	error~text           a part of the error's text
//	older=2h  newer=3d   parked longer ago, less long ago: 90s, 15m, 2h30m, 3d
//	header.NAME=value    header.NAME       a user's header, and that it exists
//	body.PATH=value      body.PATH         a value in a JSON body, and that it exists: body.items[0].sku=A-1
//
// A term that takes a list may stand there twice: a message needs to fit one of the values of both.
// Text without terms is the zero Filter. The error is a *FieldError that names the term and its
// value.
func ParseFilter(text string) (Filter, error) {
	f, err := filter.Parse(text)
	return filterOf(f), fieldError(err)
}

// ParseTerms is [ParseFilter] for terms that stand alone, such as the arguments of a command. A
// shell has removed the quotes, so all that stands behind the = or ~ is the value: error~connection
// refused. An argument that reads as several terms is an error: it may not be the choice that was
// meant.
func ParseTerms(terms ...string) (Filter, error) {
	f, err := filter.ParseTerms(terms...)
	return filterOf(f), fieldError(err)
}

// IsZero says whether the Filter chooses all messages.
func (f Filter) IsZero() bool { return f.terms().IsZero() }

// String is the Filter as [ParseFilter] reads it; "" for the zero Filter.
func (f Filter) String() string { return f.terms().String() }

// at is the Filter at one moment.
func (f Filter) at(now time.Time) (*filter.Matcher, error) {
	m, err := f.terms().At(now)
	return m, fieldError(err)
}

// terms is the Filter in the language's own type.
func (f Filter) terms() filter.Filter {
	t := filter.Filter{
		Reasons: f.Reasons, ErrorTypes: f.ErrorTypes, ErrorContains: f.ErrorContains, Groups: f.Groups,
		IDs: f.IDs, Consumers: f.Consumers, Hosts: f.Hosts, Apps: f.Apps, Versions: f.Versions, Targets: f.Targets,
		OlderThan: f.OlderThan, NewerThan: f.NewerThan,
	}
	for _, h := range f.Headers {
		t.Headers = append(t.Headers, filter.Header(h))
	}
	for _, b := range f.Body {
		t.Body = append(t.Body, filter.Body(b))
	}
	return t
}

// filterOf is the Filter of the language's own type.
func filterOf(t filter.Filter) Filter {
	f := Filter{
		Reasons: t.Reasons, ErrorTypes: t.ErrorTypes, ErrorContains: t.ErrorContains, Groups: t.Groups,
		IDs: t.IDs, Consumers: t.Consumers, Hosts: t.Hosts, Apps: t.Apps, Versions: t.Versions, Targets: t.Targets,
		OlderThan: t.OlderThan, NewerThan: t.NewerThan,
	}
	for _, h := range t.Headers {
		f.Headers = append(f.Headers, HeaderMatch(h))
	}
	for _, b := range t.Body {
		f.Body = append(f.Body, BodyMatch(b))
	}
	return f
}

// fieldError is an error of the language with the public type, under the same text.
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
