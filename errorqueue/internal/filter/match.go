package filter

import (
	"fmt"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/inflate"
)

// Matcher is a Filter at one moment. Its ages do not grow with time, so a message that was chosen
// once is chosen again. It is immutable.
type Matcher struct {
	filter Filter
	now    time.Time
	needle string   // ErrorContains in lower case
	paths  [][]step // of Body, by index
	sets   []set    // of lists, by index
}

// At checks the Filter and makes a Matcher.
func (f Filter) At(now time.Time) (*Matcher, error) {
	m := &Matcher{filter: f, now: now, needle: strings.ToLower(f.ErrorContains)}
	if f.OlderThan < 0 {
		return nil, &Error{"Filter.OlderThan", f.OlderThan.String(), "no less than 0"}
	}
	if f.NewerThan < 0 {
		return nil, &Error{"Filter.NewerThan", f.NewerThan.String(), "no less than 0"}
	}
	for name, t := range map[string]time.Time{"Filter.Before": f.Before, "Filter.After": f.After} {
		if !foreign.IsTime(t) {
			return nil, &Error{name, fmt.Sprint(t.Unix()), "a time in the years 1 to 9999"}
		}
	}
	for _, h := range f.Headers {
		if h.Name == "" {
			return nil, &Error{"Filter.Headers.Name", "", "a header's name"}
		}
	}
	for _, b := range f.Body {
		path, err := parsePath(b.Path)
		if err != nil {
			return nil, &Error{"Filter.Body.Path", b.Path, err.Error()}
		}
		m.paths = append(m.paths, path)
	}
	for _, l := range lists {
		m.sets = append(m.sets, newSet(*l.of(&f)))
	}
	return m, nil
}

// Matches says whether a message is chosen.
func (m *Matcher) Matches(msg *Message) bool {
	return m.fitsLists(msg) && m.fitsError(msg) && m.fitsAge(msg) && m.fitsTime(msg) && m.fitsHeaders(msg) && m.fitsBody(msg)
}

func (m *Matcher) fitsLists(msg *Message) bool {
	for i, l := range lists {
		if of := &m.sets[i]; !of.empty() && !of.has(l.value(msg)) {
			return false
		}
	}
	return true
}

func (m *Matcher) fitsError(msg *Message) bool {
	return m.needle == "" || strings.Contains(strings.ToLower(msg.Error), m.needle)
}

func (m *Matcher) fitsAge(msg *Message) bool {
	older, newer := m.filter.OlderThan, m.filter.NewerThan
	if older == 0 && newer == 0 {
		return true
	}
	if msg.Since.IsZero() {
		return false
	}
	age := m.now.Sub(msg.Since)
	return (older == 0 || age > older) && (newer == 0 || age < newer)
}

func (m *Matcher) fitsTime(msg *Message) bool {
	before, after := m.filter.Before, m.filter.After
	if before.IsZero() && after.IsZero() {
		return true
	}
	return !msg.Since.IsZero() && (before.IsZero() || msg.Since.Before(before)) && !msg.Since.Before(after)
}

func (m *Matcher) fitsHeaders(msg *Message) bool {
	for _, h := range m.filter.Headers {
		v, there := msg.Headers[h.Name]
		if !there || !h.Exists && headerText(v) != h.Value {
			return false
		}
	}
	return true
}

func (m *Matcher) fitsBody(msg *Message) bool {
	if len(m.paths) == 0 {
		return true
	}
	text, _, _ := inflate.View(msg.Body, msg.ContentEncoding, inflate.ViewMost) // with an error as it is
	body, ok := firstValue(text)
	if !ok {
		return false
	}
	for i, b := range m.filter.Body {
		v, ok := body.at(m.paths[i])
		if !ok || !b.Exists && !v.equals(b.Value) {
			return false
		}
	}
	return true
}

// headerText returns a header's value as a person would write it.
func headerText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return foreign.Stamp(v)
	}
	return fmt.Sprint(v)
}
