package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Target is a queue that messages are redriven to.
type Target struct {
	Queue    string       `json:"queue"` // "" for messages that no queue is known for
	Messages int          `json:"messages"`
	Derived  int          `json:"derived"` // of those, which do not name it themselves
	Source   TargetSource `json:"source"`  // how it is known; of the first that does not name it
	Missing  bool         `json:"missing"` // there is no such queue
}

// survey is what a pass has seen of what is to be moved, and, if that is little, holds.
type survey struct {
	targets map[string]*Target
	matched int
	slowest time.Duration // from the first failure of one until it was parked
	kept    []*held
	all     bool // kept has all of them
}

// keepAtMost is how many messages, and maxHeldInMemory how many bytes of them, are kept in memory, to be moved by the same pass that found
// them.
const keepAtMost = 1000

// look reads what there is, up to most messages that are chosen.
func (r *rounds) look(ctx context.Context, p *pass, to string, most int) (*survey, error) {
	s := &survey{targets: map[string]*Target{}, all: true}
	r.report.now.Of = p.of
	for bytes := 0; most < 0 || s.matched < most; {
		d, ok, err := p.next(ctx)
		if err != nil {
			return s, err
		}
		if p.overdue() {
			return s, ErrHeldTooLong
		}
		if !ok {
			break
		}
		r.report.now.Read++
		r.tell()
		if !r.filter.match(&d.message) || r.skip != nil && r.skip(&d.message) {
			continue
		}
		if r.copies && d.message.Illegible {
			r.illegible++ // a survey is the first pass
			continue
		}
		s.matched++
		r.report.now.Matched = s.matched
		s.add(&d.message, to)
		if bytes += len(d.Body); s.all && len(s.kept) < keepAtMost && bytes < maxHeldInMemory {
			s.kept = append(s.kept, d)
		} else {
			s.kept, s.all = nil, false
		}
	}
	return s, nil
}

func (s *survey) add(m *Message, to string) {
	s.slowest = max(s.slowest, m.tookToFail())
	name, from := m.Target, m.TargetFrom
	if to != "" {
		name, from = to, FromCaller
	}
	t := s.targets[name]
	if t == nil {
		t = &Target{Queue: name, Source: from}
		s.targets[name] = t
	}
	t.Messages++
	if from != FromHeader && from != FromCaller {
		if t.Derived == 0 {
			t.Source = from
		}
		t.Derived++
	}
}

// sorted are the targets, the one with the most messages first.
func (s *survey) sorted() []Target {
	var all []Target
	for _, t := range slices.Collect(maps.Values(s.targets)) {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Target) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Queue, b.Queue))
	})
	return all
}

// check looks whether the targets exist, and marks those that do not. The error is about the first of them.
func (q *Queue) check(ctx context.Context, targets []Target) error {
	var missing error
	for i := range targets {
		t := &targets[i]
		if t.Queue == "" {
			t.Missing = true
			missing = errors.Join(missing, fmt.Errorf("%d messages do not say where they came from: set To, or Config.Queue", t.Messages))
			continue
		}
		session, err := q.link.Session(ctx)
		if err != nil {
			return err
		}
		switch _, err := count(ctx, session, t.Queue); {
		case errors.Is(err, errNotFound):
			t.Missing = true
			missing = errors.Join(missing, &MissingTargetError{Queue: t.Queue, Messages: t.Messages, Source: string(t.Source)})
		case err != nil && !errors.Is(err, errNotAllowed): // then the publish will tell
			return err
		}
	}
	return missing
}
