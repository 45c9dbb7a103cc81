package snapshot

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// tally counts all messages of a pass, in bounded memory. Its owner locks it.
type tally struct {
	groups   map[string]*tallied
	messages int
	other    int // messages of further groups
	total    timeline
}

// tallied is one group.
type tallied struct {
	Group
	timeline timeline
}

const (
	mostGroups   = 1000
	mostVersions = 20 // that a group names
)

// add counts a message.
func (t *tally) add(m *errorqueue.Message) {
	t.messages++
	at := m.Since()
	t.total.add(at, m.AppVersion)
	g := t.groups[m.Group]
	if g == nil {
		if len(t.groups) >= mostGroups {
			t.other++
			return
		}
		if t.groups == nil {
			t.groups = map[string]*tallied{}
		}
		g = &tallied{timeline: timeline{most: groupCells}, Group: Group{
			Key: m.Group, First: at, Last: at, Mark: m.Mark,
			Reason: m.Reason, Error: m.Error, Type: m.Type, Consumer: m.Consumer, Target: m.Target,
		}}
		t.groups[strings.Clone(m.Group)] = g
	}
	g.Count++
	g.First, g.Last = span(g.First, g.Last, at)
	if len(g.Versions) < mostVersions && m.AppVersion != "" && !slices.Contains(g.Versions, m.AppVersion) {
		g.Versions = append(g.Versions, m.AppVersion)
	}
	g.timeline.add(at, m.AppVersion)
}

// span widens a span of time to a moment. A zero moment is unknown.
func span(first, last, at time.Time) (time.Time, time.Time) {
	if at.IsZero() {
		return first, last
	}
	if first.IsZero() || at.Before(first) {
		first = at
	}
	if at.After(last) {
		last = at
	}
	return first, last
}

// report returns the groups in the order of errorqueue.Queue.Groups.
func (t *tally) report() Groups {
	r := Groups{Groups: []Group{}, Messages: t.messages, Other: t.other}
	for g := range maps.Values(t.groups) {
		copied := g.Group
		copied.Versions = slices.Clone(g.Versions)
		r.Groups = append(r.Groups, copied)
	}
	slices.SortFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.First.Compare(b.First), cmp.Compare(a.Key, b.Key))
	})
	return r
}
