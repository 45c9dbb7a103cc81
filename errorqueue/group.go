package errorqueue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// GroupBy says which property groups messages.
type GroupBy string

// The ways to group.
const (
	ByGroup    GroupBy = "group"    // consumer, error type, error text without numbers and ids
	ByType     GroupBy = "type"     // the error's Go type
	ByReason   GroupBy = "reason"   // why it was parked
	ByConsumer GroupBy = "consumer" // who parked it
	ByTarget   GroupBy = "queue"    // where it came from
	ByHost     GroupBy = "host"
	ByApp      GroupBy = "app"
	ByVersion  GroupBy = "version" // the application's version
)

// GroupOptions are the options of [Queue.Groups]. The zero value groups all messages by their kind
// of failure.
type GroupOptions struct {
	// By says which property groups messages.
	//
	// Defaults to ByGroup.
	By GroupBy

	// Filter chooses messages.
	//
	// Defaults to all.
	Filter Filter

	// MaxGroups bounds the memory. Messages of further groups are only counted, in
	// GroupReport.Other.
	//
	// Defaults to 1000.
	MaxGroups int

	// Progress receives the progress of the call: see [Progress].
	Progress func(Progress)
}

const defaultMaxGroups = 1000

const sampleBody = 4 << 10 // bytes of a sample's body that are kept

// Group describes messages that have something in common.
type Group struct {
	Key    string    `json:"key"` // "" for messages without the property
	Count  int       `json:"count"`
	First  time.Time `json:"first,omitzero"` // when the earliest was parked, if known
	Last   time.Time `json:"last,omitzero"`
	Sample Message   `json:"sample"` // the first of them, with the first 4 KiB of its body
}

// GroupReport is the result of Groups.
type GroupReport struct {
	By         GroupBy `json:"by"`
	Groups     []Group `json:"groups"` // the largest first
	Messages   int     `json:"messages"`
	Other      int     `json:"other"`      // messages of further groups, beyond MaxGroups
	Incomplete bool    `json:"incomplete"` // an error ended the call before all was read
}

// Groups counts the messages by what they have in common. Like List it changes nothing, holds all
// messages until it ends, and ends with the same errors. With an error the report covers the
// messages that were read.
func (q *Queue) Groups(ctx context.Context, o GroupOptions) (GroupReport, error) {
	o.By = cmp.Or(o.By, ByGroup)
	o.MaxGroups = cmp.Or(o.MaxGroups, defaultMaxGroups)
	key, ok := keys[o.By]
	switch {
	case !ok:
		return GroupReport{}, q.failed(&FieldError{"By", string(o.By), "one of group, type, reason, consumer, queue, host, app, version"})
	case o.MaxGroups < 1:
		return GroupReport{}, q.failed(&FieldError{"MaxGroups", fmt.Sprint(o.MaxGroups), "1 or above"})
	}
	g := grouping{most: o.MaxGroups, key: key, groups: map[string]*Group{}}
	err := q.each(ctx, ListOptions{Filter: o.Filter, Progress: o.Progress}, func(d *held) bool {
		g.add(d.message)
		return true
	})
	report := g.report()
	report.By = o.By
	if err != nil {
		report.Incomplete = true
		return report, q.failed(err)
	}
	return report, nil
}

var keys = map[GroupBy]func(*Message) string{
	ByGroup:    func(m *Message) string { return m.Group },
	ByType:     func(m *Message) string { return m.Type },
	ByReason:   func(m *Message) string { return m.Reason },
	ByConsumer: func(m *Message) string { return m.Consumer },
	ByTarget:   func(m *Message) string { return m.Target },
	ByHost:     func(m *Message) string { return m.Host },
	ByApp:      func(m *Message) string { return m.App },
	ByVersion:  func(m *Message) string { return m.AppVersion },
}

// grouping counts messages, in bounded memory. One goroutine uses it.
type grouping struct {
	most int                   // groups; immutable
	key  func(*Message) string // immutable

	// Written by add.
	groups   map[string]*Group
	messages int
	other    int // messages of further groups
}

func (g *grouping) add(m Message) {
	g.messages++
	at := m.since()
	key := g.key(&m)
	group := g.groups[key]
	if group == nil {
		if len(g.groups) >= g.most {
			g.other++
			return
		}
		// A slice of the body would keep the whole body in memory.
		m.Body, m.sample = slices.Clone(m.Body[:min(len(m.Body), sampleBody)]), true
		group = &Group{Key: key, Sample: m, First: at, Last: at}
		g.groups[key] = group
	}
	group.Count++
	if at.IsZero() {
		return
	}
	if group.First.IsZero() || at.Before(group.First) {
		group.First = at
	}
	if at.After(group.Last) {
		group.Last = at
	}
}

func (g *grouping) report() GroupReport {
	r := GroupReport{Groups: []Group{}, Messages: g.messages, Other: g.other}
	for _, group := range slices.Collect(maps.Values(g.groups)) {
		r.Groups = append(r.Groups, *group)
	}
	slices.SortFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.First.Compare(b.First), cmp.Compare(a.Key, b.Key))
	})
	return r
}
