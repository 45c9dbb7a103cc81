package errorqueue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Filter chooses messages: those that fit every field that is set. Of a list, one value must fit. The zero
// Filter chooses all. [ParseFilter] makes one of text.
type Filter struct {
	Reasons       []string // "timeout", "panic", "delivery_limit", ...
	ErrorTypes    []string // "*net.OpError", ...
	ErrorContains string   // a part of the error's text; upper and lower case are the same
	Groups        []string

	IDs       []string // message ids
	Consumers []string
	Hosts     []string
	Apps      []string
	Versions  []string // of apps
	Targets   []string // the queues that messages came from

	// OlderThan and NewerThan compare how long ago a message was parked; of one that does not say that, how long ago it was
	// published. One that says neither fits no age.
	OlderThan time.Duration
	NewerThan time.Duration

	Headers []HeaderMatch
	Body    []BodyMatch
}

// HeaderMatch asks for a user's header.
type HeaderMatch struct {
	Name   string
	Exists bool   // the header must be there, with any value; Value is not looked at then
	Value  string // what the header must be, as text: "42" fits the number 42
}

// BodyMatch asks for a value in a JSON body.
type BodyMatch struct {
	Path   string // such as "user.id", "$.items[0].sku" or "$['odd name']"
	Exists bool   // the path must lead somewhere; Value is not looked at then
	Value  string // what must be there, as text: "42" fits the number 42, 42.0 and the string "42"; "null", "true"
}

// IsZero says whether the Filter chooses all.
func (f Filter) IsZero() bool {
	return len(f.Reasons)+len(f.ErrorTypes)+len(f.Groups)+len(f.IDs)+len(f.Consumers)+len(f.Hosts)+len(f.Apps)+len(f.Versions)+len(f.Targets)+len(f.Headers)+len(f.Body) == 0 &&
		f.ErrorContains == "" && f.OlderThan == 0 && f.NewerThan == 0
}

// Match says whether the Filter chooses a message. A path into its body is not found if it is wrong.
func (f Filter) Match(m *Message, now time.Time) bool {
	c, err := f.compile(now)
	return err == nil && c.match(m)
}

// compiled is a Filter at one moment: a message chosen once is chosen again, however long all takes.
type compiled struct {
	Filter
	now   time.Time
	needs string   // ErrorContains in lower case
	paths [][]step // of Body
}

func (f Filter) compile(now time.Time) (*compiled, error) {
	c := &compiled{Filter: f, now: now, needs: strings.ToLower(f.ErrorContains)}
	for _, age := range []struct {
		field string
		d     time.Duration
	}{{"OlderThan", f.OlderThan}, {"NewerThan", f.NewerThan}} {
		if age.d < 0 {
			return nil, &FieldError{"Filter." + age.field, age.d.String(), "no less than 0"}
		}
	}
	for _, h := range f.Headers {
		if h.Name == "" {
			return nil, &FieldError{"Filter.Headers.Name", "", "a header's name"}
		}
	}
	for _, b := range f.Body {
		path, err := parsePath(b.Path)
		if err != nil {
			return nil, &FieldError{"Filter.Body.Path", b.Path, err.Error()}
		}
		c.paths = append(c.paths, path)
	}
	return c, nil
}

func (c *compiled) match(m *Message) bool {
	for _, one := range []struct {
		of    []string
		value string
	}{
		{c.Reasons, m.Reason}, {c.ErrorTypes, m.Type}, {c.Groups, m.Group}, {c.IDs, m.ID},
		{c.Consumers, m.Consumer}, {c.Hosts, m.Host}, {c.Apps, m.App}, {c.Versions, m.AppVersion}, {c.Targets, m.Target},
	} {
		if len(one.of) > 0 && !slices.Contains(one.of, one.value) {
			return false
		}
	}
	if c.needs != "" && !strings.Contains(strings.ToLower(m.Error), c.needs) {
		return false
	}
	if c.OlderThan > 0 || c.NewerThan > 0 {
		if m.since().IsZero() {
			return false
		}
		age := c.now.Sub(m.since())
		if c.OlderThan > 0 && age <= c.OlderThan || c.NewerThan > 0 && age >= c.NewerThan {
			return false
		}
	}
	for _, h := range c.Headers {
		v, there := m.Headers[h.Name]
		if !there || !h.Exists && headerText(v) != h.Value {
			return false
		}
	}
	return len(c.Body) == 0 || c.matchBody(m)
}

// headerText is a header's value as a person would write it.
func headerText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}

// ageText is a duration as it stands in a filter's text.
func ageText(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.String()
}

// String is the Filter as [ParseFilter] reads it; "" for the zero Filter.
func (f Filter) String() string {
	var terms []string
	for _, l := range []struct {
		key string
		of  []string
	}{
		{"reason", f.Reasons}, {"type", f.ErrorTypes}, {"group", f.Groups}, {"id", f.IDs},
		{"consumer", f.Consumers}, {"host", f.Hosts}, {"app", f.Apps}, {"version", f.Versions}, {"queue", f.Targets},
	} {
		if len(l.of) == 0 {
			continue
		}
		values := make([]string, len(l.of))
		for i, v := range l.of {
			values[i] = quoted(v)
		}
		terms = append(terms, l.key+"="+strings.Join(values, ","))
	}
	if f.ErrorContains != "" {
		terms = append(terms, "error~"+quoted(f.ErrorContains))
	}
	if f.OlderThan > 0 {
		terms = append(terms, "older="+ageText(f.OlderThan))
	}
	if f.NewerThan > 0 {
		terms = append(terms, "newer="+ageText(f.NewerThan))
	}
	pair := func(key, value string, exists bool) {
		if quoted(key) != key || strings.ContainsAny(key, "=~") {
			key = strconv.Quote(key)
		}
		if !exists {
			key += "=" + quoted(value)
		}
		terms = append(terms, key)
	}
	for _, h := range f.Headers {
		pair("header."+h.Name, h.Value, h.Exists)
	}
	for _, b := range f.Body {
		pair("body."+strings.TrimPrefix(strings.TrimPrefix(b.Path, "$"), "."), b.Value, b.Exists)
	}
	return strings.Join(terms, " ")
}
