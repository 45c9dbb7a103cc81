package errorqueue

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ParseFilter makes a Filter of text, for a command or a web page:
//
//	reason=timeout older=2h body.user.id=42 error~"connection refused"
//
// Terms are separated by spaces, and all of them must fit. A value with spaces, commas or quotes is written in double quotes,
// as in Go. These are the terms:
//
//	reason=a,b   type=a,b   group=a,b   id=a,b   consumer=a,b   host=a,b   app=a,b   version=a,b   queue=a,b
//	error~text           a part of the error's text
//	older=2h  newer=3d   parked longer ago, less long ago: 90s, 15m, 2h30m, 3d
//	header.NAME=value    header.NAME       a user's header, and that it exists
//	body.PATH=value      body.PATH         a value in a JSON body, and that it exists: body.items[0].sku=A-1
//
// Terms of the same name widen the choice where they take a list, as if they were one. Text without terms is the zero Filter. The
// error names the term and its value.
func ParseFilter(text string) (Filter, error) {
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

// term reads one term.
func (f *Filter) term(s *scanner) error {
	key, err := s.word(" =~")
	if err != nil {
		return err
	}
	op := s.op()
	switch {
	case key == "" || key == "header." || key == "body." || key == "body.$":
		return &FieldError{"a term", key + op, "name=value, such as reason=timeout"}
	case strings.HasPrefix(key, "header."), strings.HasPrefix(key, "body."), strings.HasPrefix(key, "$"):
		return f.pathTerm(key, op, s)
	}
	list := f.list(key)
	switch {
	case list == nil && key != "error" && key != "older" && key != "newer":
		return &FieldError{"a term", key, "one of reason, error, type, group, older, newer, id, consumer, host, app, version, queue, header.NAME, body.PATH"}
	case op == "":
		return &FieldError{key, "", "a value, as in " + example(key)}
	case key == "error" && op != "~":
		return &FieldError{"a term", key + op, key + "~ and a part of the text, as in " + example(key)}
	case key != "error" && op != "=":
		return &FieldError{"a term", key + op, key + "= and a value, as in " + example(key)}
	}
	values, err := s.values(key)
	if err != nil {
		return err
	}
	if list != nil {
		*list = append(*list, values...)
		return nil
	}
	if len(values) > 1 {
		return &FieldError{key, strings.Join(values, ","), "one value; put it in quotes if there is a comma in it"}
	}
	switch key {
	case "error":
		return once(key, &f.ErrorContains, values[0])
	case "older":
		return age(key, &f.OlderThan, values[0])
	default:
		return age(key, &f.NewerThan, values[0])
	}
}

// list is the field of terms that take several values, nil for others.
func (f *Filter) list(key string) *[]string {
	return map[string]*[]string{
		"reason": &f.Reasons, "type": &f.ErrorTypes, "group": &f.Groups, "id": &f.IDs,
		"consumer": &f.Consumers, "host": &f.Hosts, "app": &f.Apps, "version": &f.Versions, "queue": &f.Targets,
	}[key]
}

func (f *Filter) pathTerm(key, op string, s *scanner) error {
	if op == "~" {
		return &FieldError{"a term", key + op, key + "= and a value, or the name alone"}
	}
	value := ""
	if op == "=" {
		var err error
		if value, err = s.word(" "); err != nil {
			return err
		}
	}
	if name, ok := strings.CutPrefix(key, "header."); ok {
		f.Headers = append(f.Headers, HeaderMatch{Name: name, Exists: op == "", Value: value})
		return nil
	}
	path := strings.TrimPrefix(key, "body.")
	if _, err := parsePath(path); err != nil {
		return &FieldError{"body", path, err.Error()}
	}
	f.Body = append(f.Body, BodyMatch{Path: path, Exists: op == "", Value: value})
	return nil
}

func example(key string) string {
	switch key {
	case "error":
		return `error~"connection refused"`
	case "older", "newer":
		return key + "=2h"
	case "type":
		return "type=*net.OpError"
	case "reason":
		return "reason=timeout,panic"
	}
	return key + "=a,b"
}

func once(key string, to *string, value string) error {
	if *to != "" {
		return &FieldError{key, value, "to be given once"}
	}
	if value == "" {
		return &FieldError{key, value, "a value, as in " + example(key)}
	}
	*to = value
	return nil
}

func age(key string, to *time.Duration, value string) error {
	if *to != 0 {
		return &FieldError{key, value, "to be given once"}
	}
	d, err := parseAge(value)
	if err != nil {
		return &FieldError{key, value, "a duration above 0, such as 90s, 15m, 2h30m or 3d"}
	}
	*to = d
	return nil
}

// parseAge is time.ParseDuration, with days.
func parseAge(s string) (time.Duration, error) {
	var days time.Duration
	if n, rest, ok := strings.Cut(s, "d"); ok {
		d, err := strconv.ParseUint(n, 10, 15)
		if err != nil {
			return 0, err
		}
		days, s = time.Duration(d)*24*time.Hour, rest
		if s == "" && days > 0 {
			return days, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || days+d <= 0 {
		return 0, fmt.Errorf("not a duration above 0: %w", err)
	}
	return days + d, nil
}

// scanner reads a filter's text.
type scanner struct{ rest string }

func (s *scanner) space() { s.rest = strings.TrimLeftFunc(s.rest, unicode.IsSpace) }

func (s *scanner) op() string {
	if s.rest != "" && (s.rest[0] == '=' || s.rest[0] == '~') {
		op := s.rest[:1]
		s.rest = s.rest[1:]
		return op
	}
	return ""
}

// word reads up to one of these characters or white space, or what is in quotes.
func (s *scanner) word(until string) (string, error) {
	if strings.HasPrefix(s.rest, `"`) {
		text, err := strconv.QuotedPrefix(s.rest)
		if err != nil {
			return "", &FieldError{"a value", s.rest, "its closing quote"}
		}
		s.rest = s.rest[len(text):]
		word, err := strconv.Unquote(text)
		if err != nil {
			return "", &FieldError{"a value", text, "quotes as in Go"}
		}
		if next := s.rest; next != "" && !unicode.IsSpace(rune(next[0])) && !strings.ContainsAny(next[:1], until+",") {
			return "", &FieldError{"a value", text + next[:1] + "...", "a space behind the closing quote"}
		}
		return word, nil
	}
	end := strings.IndexFunc(s.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(until, r) })
	if end < 0 {
		end = len(s.rest)
	}
	word := s.rest[:end]
	if strings.Contains(word, `"`) {
		return "", &FieldError{"a value", word, "quotes around all of it, or none in it"}
	}
	s.rest = s.rest[end:]
	return word, nil
}

// values reads a list.
func (s *scanner) values(key string) ([]string, error) {
	var all []string
	for {
		inQuotes := strings.HasPrefix(s.rest, `"`)
		v, err := s.word(" ,")
		if err != nil {
			return nil, err
		}
		if v == "" && !inQuotes { // perhaps a variable that is not set; it would choose what has no such value
			return nil, &FieldError{key, "", "a value, as in " + example(key)}
		}
		all = append(all, v)
		if !strings.HasPrefix(s.rest, ",") {
			break
		}
		s.rest = s.rest[1:]
	}
	if len(all) == 1 && all[0] == "" {
		return nil, &FieldError{key, "", "a value, as in " + example(key)}
	}
	return all, nil
}

// quoted is a value as word reads it back.
func quoted(v string) string {
	plain := v != "" && !strings.ContainsFunc(v, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' || r == ',' || r == unicode.ReplacementChar
	})
	if plain {
		return v
	}
	return strconv.Quote(v)
}
