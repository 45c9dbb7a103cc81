package filter

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String returns the Filter as text for [Parse]; "" for the zero Filter.
func (f Filter) String() string {
	var terms []string
	for _, l := range lists {
		of := *l.of(&f)
		if len(of) == 0 {
			continue
		}
		values := make([]string, len(of))
		for i, v := range of {
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
	if !f.Before.IsZero() {
		terms = append(terms, "before="+timeText(f.Before))
	}
	if !f.After.IsZero() {
		terms = append(terms, "after="+timeText(f.After))
	}
	for _, h := range f.Headers {
		terms = append(terms, pairText("header."+h.Name, h.Value, h.Exists))
	}
	for _, b := range f.Body {
		path := strings.TrimPrefix(strings.TrimPrefix(b.Path, "$"), ".")
		terms = append(terms, pairText("body."+path, b.Value, b.Exists))
	}
	return strings.Join(terms, " ")
}

// pairText returns the term for a header or a path.
func pairText(key, value string, exists bool) string {
	if quoted(key) != key || strings.ContainsAny(key, "=~") {
		key = strconv.Quote(key)
	}
	if exists {
		return key
	}
	return key + "=" + quoted(value)
}

// ageText returns a duration as text for [foreign.ParseDuration].
func ageText(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.String()
}

// timeText returns a time as text for setTime.
func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
