package filter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Parse makes a Filter of a text of terms that are separated by spaces, such as
//
//	reason=timeout older=2h body.user.id=42 error~"connection refused"
//
// A term with a list may occur twice, which adds values to the list. A text without terms is the
// zero Filter. A wrong term is an [*Error].
func Parse(text string) (Filter, error) {
	var f Filter
	s := scanner{rest: text}
	for {
		s.space()
		if s.rest == "" {
			return f, nil
		}
		if err := f.term(&s); err != nil {
			return Filter{}, fmt.Errorf("filter: %w", err)
		}
	}
}

// singles are the keys with one value.
var singles = []string{"error", "older", "newer", "before", "after"}

// term reads one term into the Filter.
func (f *Filter) term(s *scanner) error {
	key, err := s.word(" =~")
	if err != nil {
		return err
	}
	op := s.op()
	list := f.list(key)
	switch {
	case key == "" || key == "header." || key == "body." || key == "body.$":
		return &Error{"a term", key + op, "name=value, such as reason=timeout"}
	case strings.HasPrefix(key, "header."), strings.HasPrefix(key, "body."), strings.HasPrefix(key, "$"):
		return f.pathTerm(key, op, s)
	case list != nil:
		return listTerm(list, key, op, s)
	case slices.Contains(singles, key):
		return f.singleTerm(key, op, s)
	case op == "": // text as for a search engine
		return &Error{"a term", key, "error~" + quoted(key) + " for a part of an error's text, or a name and a value, such as id=4711 or reason=timeout"}
	}
	return &Error{"a term", key, "one of reason, error, type, group, older, newer, before, after, id, mark, consumer, host, app, version, queue, redrive, header.NAME, body.PATH"}
}

// listTerm reads the values of a key that takes several.
func listTerm(list *[]string, key, op string, s *scanner) error {
	if err := checkOp(key, op); err != nil {
		return err
	}
	values, err := s.values(key)
	if err != nil {
		return err
	}
	*list = append(*list, values...)
	return nil
}

// singleTerm reads the value of a key that takes one.
func (f *Filter) singleTerm(key, op string, s *scanner) error {
	if err := checkOp(key, op); err != nil {
		return err
	}
	values, err := s.values(key)
	if err != nil {
		return err
	}
	if len(values) > 1 {
		return &Error{key, strings.Join(values, ","), "one value; put it in quotes if there is a comma in it"}
	}
	switch key {
	case "error":
		return setOnce(key, &f.ErrorContains, values[0])
	case "older":
		return setAge(key, &f.OlderThan, values[0])
	case "before":
		return setTime(key, &f.Before, values[0])
	case "after":
		return setTime(key, &f.After, values[0])
	}
	return setAge(key, &f.NewerThan, values[0])
}

// checkOp refuses a key without a value, and a key with the wrong operator.
func checkOp(key, op string) error {
	switch {
	case op == "":
		return &Error{key, "", "a value, as in " + example(key)}
	case key == "error" && op != "~":
		return &Error{"a term", key + op, key + "~ and a part of the text, as in " + example(key)}
	case key != "error" && op != "=":
		return &Error{"a term", key + op, key + "= and a value, as in " + example(key)}
	}
	return nil
}

// pathTerm reads the rest of header.NAME or body.PATH.
func (f *Filter) pathTerm(key, op string, s *scanner) error {
	if op == "~" {
		return &Error{"a term", key + op, key + "= and a value, or the name alone"}
	}
	value := ""
	if op == "=" {
		var err error
		if value, err = s.word(" "); err != nil {
			return err
		}
	}
	if name, ok := strings.CutPrefix(key, "header."); ok {
		f.Headers = append(f.Headers, Header{Name: name, Exists: op == "", Value: value})
		return nil
	}
	path := strings.TrimPrefix(key, "body.")
	if _, err := parsePath(path); err != nil {
		return &Error{"body", path, err.Error()}
	}
	f.Body = append(f.Body, Body{Path: path, Exists: op == "", Value: value})
	return nil
}

func example(key string) string {
	switch key {
	case "error":
		return `error~"connection refused"`
	case "older", "newer":
		return key + "=2h"
	case "before", "after":
		return key + "=2026-11-01"
	case "type":
		return "type=*net.OpError"
	case "reason":
		return "reason=timeout,panic"
	}
	return key + "=a,b"
}

func setOnce(key string, to *string, value string) error {
	if *to != "" {
		return &Error{key, value, "to be given once"}
	}
	if value == "" {
		return &Error{key, value, "a value, as in " + example(key)}
	}
	*to = value
	return nil
}

func setAge(key string, to *time.Duration, value string) error {
	if *to != 0 {
		return &Error{key, value, "to be given once"}
	}
	d, err := foreign.ParseDuration(value)
	if err != nil || d <= 0 {
		return &Error{key, value, "a duration above 0, such as 90s, 15m, 2h30m or 3d"}
	}
	*to = d
	return nil
}

// setTime reads a time, or a date, which is its midnight in UTC.
func setTime(key string, to *time.Time, value string) error {
	if !to.IsZero() {
		return &Error{key, value, "to be given once"}
	}
	t, err := time.Parse(time.DateOnly, value)
	if err != nil {
		t = foreign.ParseTime(value)
	}
	if t.IsZero() { // it would choose any time
		return &Error{key, value, "a time such as 2026-11-01T10:31:00Z, or a date"}
	}
	*to = t
	return nil
}
