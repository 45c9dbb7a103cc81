package use

import (
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// redacted stands for an error that has *url.Errors in its chain, which name whole URLs. Its text,
// and the errors that it unwraps to, name the URLs without what may be secret. errors.Is and
// errors.As find in it what they find in the original.
type redacted struct {
	text     string
	bare     []error // the *url.Errors, redacted
	original error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Unwrap() []error      { return r.bare }
func (r *redacted) Timeout() bool        { return isTimeout(r.original) }
func (r *redacted) Is(target error) bool { return foreign.Is(r.original, target) }

func (r *redacted) As(target any) bool {
	if _, ok := target.(**url.Error); ok {
		return false // Unwrap leads to it
	}
	return errors.As(r.original, target)
}

// redact returns err without the query, the user and the fragment of the URLs that it names.
func redact(err error) error {
	if err == nil {
		return nil
	}
	if lone, ok := err.(*url.Error); ok && lone != nil { //nolint:errorlint // what is wrapped comes below
		return bareError(lone)
	}
	text := foreign.Text(err, math.MaxInt) // all of it: half a URL would not be found
	r := &redacted{text: text, original: err}
	foreign.Walk(err, func(inner error) bool {
		if e, ok := inner.(*url.Error); ok { //nolint:errorlint // Walk goes through the chain
			safe := bareError(e)
			r.bare = append(r.bare, safe)
			r.text = replace(r.text, foreign.Text(e, math.MaxInt), foreign.Text(safe, math.MaxInt))
			r.text = replace(replace(r.text, e.URL, safe.URL), quoted(e.URL), safe.URL)
		}
		return false
	})
	if r.text == text {
		return err
	}
	return r
}

// bareError returns e without what may be secret.
func bareError(e *url.Error) *url.Error {
	u, err := url.Parse(e.URL)
	if err != nil { // the reason has parts of the URL
		return &url.Error{Op: e.Op, Err: errors.New("the URL cannot be parsed")}
	}
	return &url.Error{Op: e.Op, URL: bare(u), Err: withoutURL(withoutQuote(e.Err), e.URL, u)}
}

// withoutURL returns the error of a transport, some of which name the whole URL, too.
func withoutURL(err error, whole string, u *url.URL) error {
	text := foreign.Text(err, math.MaxInt)
	clean := replace(replace(text, whole, bare(u)), quoted(whole), bare(u))
	if u.RawQuery != "" { // they may hide the password in their own way
		clean = replace(clean, "?"+u.RawQuery, "")
	}
	if clean == text {
		return err
	}
	return &redacted{text: clean, original: err}
}

// withoutQuote returns an error of package net/http without the other URL that it quotes.
func withoutQuote(err error) error {
	text := foreign.Text(err, math.MaxInt)
	for _, before := range []string{"failed to parse Location header", "invalid proxy address"} {
		if strings.HasPrefix(text, before) {
			return errors.New(before)
		}
	}
	return redact(err)
}

func replace(text, old, with string) string {
	if old == "" {
		return text
	}
	return strings.ReplaceAll(text, old, with)
}

// quoted returns s as *url.Error quotes it.
func quoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
