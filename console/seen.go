package console

import (
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// seen is what the looks at the broker have found in the last day, for charts where the management
// API does not tell. A consumer takes 12 KiB at most.
type seen struct {
	mu  sync.Mutex
	all map[string]*traces // by the main queue
}

// traces are the points of one queue: one a minute of the last hour, and one each 10 minutes of the
// last day.
type traces struct{ hour, day []management.Point }

// add remembers a look. Queues that are not in it are forgotten.
func (s *seen) add(l *look) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]*traces, len(l.consumers))
	for _, c := range l.consumers {
		if len(c.Queues) == 0 || c.Queues[0].Role != topology.RoleMain || c.Queues[0].Ready == nil {
			continue
		}
		p := management.Point{At: l.at, Ready: c.Queues[0].Ready}
		if q, ok := l.queues[c.Consumer]; ok {
			p.In, p.Out = q.Stats.In(), q.Stats.Out()
		}
		t := s.all[c.Consumer]
		if t == nil {
			t = &traces{}
		}
		next[c.Consumer] = &traces{hour: extended(t.hour, p, time.Minute, time.Hour), day: extended(t.day, p, 10*time.Minute, 24*time.Hour)}
	}
	s.all = next
}

// extended appends a point, in the place of the last one if that is of the same step, and drops
// what is too old.
func extended(all []management.Point, p management.Point, step, age time.Duration) []management.Point {
	if n := len(all); n > 0 && all[n-1].At.Truncate(step).Equal(p.At.Truncate(step)) {
		all = all[:n-1]
	}
	all = append(all, p)
	old := 0
	for old < len(all) && all[old].At.Before(p.At.Add(-age)) {
		old++
	}
	return slices.Delete(all, 0, old)
}

// points returns what was seen of a queue.
func (s *seen) points(queue string, day bool) []management.Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.all[queue]
	switch {
	case t == nil:
		return nil
	case day:
		return slices.Clone(t.day)
	}
	return slices.Clone(t.hour)
}
