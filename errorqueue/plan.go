package errorqueue

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Target is a queue to which messages are redriven.
type Target struct {
	Queue    string `json:"queue"` // "" for messages whose queue is unknown
	Messages int    `json:"messages"`
	Derived  int    `json:"derived"` // of those, how many do not name the queue in a header

	// Source says how the queue is known, as Message.TargetFrom does, or "caller" for the option
	// To. If the messages differ, it is that of the first one that does not name the queue.
	Source string `json:"source"`

	Missing bool `json:"missing"` // the queue does not exist
}

// plan says what a redrive or a discard would move, and where to. It holds values only.
type plan struct {
	targets   map[string]*Target
	read      int           // messages that were looked at
	matched   int           // messages that would be moved
	illegible int           // messages that are chosen, but cannot be copied
	slowest   time.Duration // from the first failure of a message until it was parked
}

// add adds a message with this verdict. It goes to the queue to, or, if that is "", to its own
// target.
func (p *plan) add(m *Message, v verdict, to string) {
	p.read++
	switch v {
	case leave:
		return
	case leaveWhole:
		p.illegible++
		return
	}
	p.matched++
	p.slowest = max(p.slowest, m.tookToFail())
	name, from := m.Target, m.TargetFrom
	if to != "" {
		name, from = to, fromCaller
	}
	t := p.targets[name]
	if t == nil {
		t = &Target{Queue: name, Source: from}
		if p.targets == nil {
			p.targets = map[string]*Target{}
		}
		p.targets[name] = t
	}
	t.Messages++
	if from != fromHeader && from != fromCaller {
		if t.Derived == 0 {
			t.Source = from
		}
		t.Derived++
	}
}

// missed says whether messages of the plan were gone before they were moved. done is how many were
// moved or cannot be moved.
func (p *plan) missed(done int) error {
	if gone := p.matched - done; gone > 0 {
		return fmt.Errorf("%d of %d: %w", gone, p.matched, ErrGone)
	}
	return nil
}

// sorted returns the targets, beginning with that of the most messages.
func (p *plan) sorted() []Target {
	var all []Target
	for _, t := range slices.Collect(maps.Values(p.targets)) {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Target) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Queue, b.Queue))
	})
	return all
}
