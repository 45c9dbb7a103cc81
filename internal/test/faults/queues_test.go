//go:build unix

package faults_test

import (
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// names returns the lane's queues with this role.
func (l *lane) names(role topology.Role) []string {
	var names []string
	for _, top := range l.tops {
		for _, q := range top.Queues {
			if q.Role == role {
				names = append(names, q.Name)
			}
		}
	}
	return names
}

// depth returns how many messages are ready in the lane's queues with this role, or -1 if one of
// them cannot be counted.
func (l *lane) depth(role topology.Role) int {
	n := 0
	for _, name := range l.names(role) {
		ready, _, err := l.direct.look(name)
		if err != nil {
			return -1
		}
		n += ready
	}
	return n
}

// holds waits until so many messages, or more, are in the queues with this role.
func (s *stage) holds(role topology.Role, n int) {
	s.t.Helper()
	s.each(func(l *lane) { s.holdsIn(l, role, n) })
}

// holdsIn is holds for one lane.
func (s *stage) holdsIn(l *lane, role topology.Role, n int) {
	s.t.Helper()
	if !l.await(20*time.Second, func() bool { return l.depth(role) >= n }) {
		s.t.Errorf("%s: the %s queues hold %d messages after 20 s, want %d", l.kind, role, l.depth(role), n)
	}
}

// delete deletes the queues with this role, and all of their messages. The scenario must know which
// messages may be among them: see account.forgive.
func (s *stage) delete(role topology.Role) {
	s.t.Helper()
	s.each(func(l *lane) {
		if err := l.direct.delete(l.names(role)...); err != nil {
			s.t.Errorf("%s: delete the %s queues: %v", l.kind, role, err)
		}
	})
}

// declare declares all queues again, as an operator does.
func (s *stage) declare() {
	s.t.Helper()
	s.each(func(l *lane) {
		for _, top := range l.tops {
			l.direct.declare(s.t, top)
		}
	})
}

// forgive excuses the loss of messages that were published before this time, and that may be in a
// queue that was deleted.
func (a *account) forgive(before time.Time, may func(n int, p posting) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n := range a.postings {
		p := &a.postings[n]
		if p.began.Before(before) && may(n, *p) {
			p.gone = true
		}
	}
}
