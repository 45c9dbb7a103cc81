package consumer

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// roster is who is in a Group. It decides who may be in it, and starts and stops nobody.
type roster struct {
	// mu guards what follows and the state of each member. No method of a Consumer that starts,
	// stops or asks anything is called while it is held.
	mu      sync.Mutex
	phase   phase
	members []*member // in the order in which they were admitted
}

// phase is how far the life of a Group is.
type phase int

const (
	unstarted phase = iota // before Start: who is admitted starts with the others
	begun                  // from the beginning of Start
	over                   // from the beginning of Stop, or a Start that has failed: nobody is admitted
)

// member is one consumer in a roster.
type member struct {
	c        *Consumer // immutable
	names    []string  // immutable: of its queues and exchanges, with its connection's
	state    state     // guarded by roster.mu
	overseen overseen  // has a lock of its own
}

func newMember(c *Consumer, s state) *member { return &member{c: c, names: namesOf(c), state: s} }

// state says whether a member is in its Group. Its queue and its name are taken in each state.
type state int

const (
	joining state = iota // Add starts it
	inGroup              // it is in the Group
	leaving              // Remove stops it
)

// Errors of Add and Remove, for errors.Is.
var (
	// ErrInGroup is the error of Add if a consumer of the Group has the queue already.
	ErrInGroup = errors.New("it is in the group already")
	// ErrNotInGroup is the error of Remove if there is no such consumer.
	ErrNotInGroup = errors.New("it is not in the group")
	// ErrOwnHandler is the error of Remove if its context is that of a handler of the consumer.
	ErrOwnHandler = errors.New("its own handler cannot wait for that: remove it in a goroutine, with a context of its own")
)

var (
	errOver    = errors.New("the group was stopped")
	errStarted = errors.New("consumer: the group was started before")
)

// start returns those that are to be started. It returns an error unless it is the first call,
// before any stop.
func (r *roster) start() ([]*member, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.phase {
	case begun:
		return nil, errStarted
	case over:
		return nil, fmt.Errorf("consumer: %w, make a new one", errOver)
	}
	r.phase = begun
	return r.in(inGroup), nil
}

// stop returns those that are to be stopped. Nobody is admitted after it.
func (r *roster) stop() []*member {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = over
	return slices.Clone(r.members)
}

// consumers returns those that are in the Group.
func (r *roster) consumers() []*Consumer {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Consumer, 0, len(r.members))
	for _, m := range r.in(inGroup) {
		all = append(all, m.c)
	}
	return all
}

// all returns the members in every state.
func (r *roster) all() []*member {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.members)
}

// has returns whether a member is in the Group.
func (r *roster) has(m *member) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.state == inGroup
}

// in returns the members that are in a state. It is called with the lock held.
func (r *roster) in(s state) []*member {
	return slices.DeleteFunc(slices.Clone(r.members), func(m *member) bool { return m.state != s })
}

// admit takes the consumer's queue and name, or returns why it may not have them. If start is true
// the caller starts the member, and then calls join or drop. Otherwise the Group's Start starts it.
func (r *roster) admit(c *Consumer) (m *member, start bool, err error) {
	m = newMember(c, inGroup)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase == over {
		return nil, false, errOver
	}
	if err := r.conflict(m); err != nil {
		return nil, false, err
	}
	start = r.phase == begun
	if start {
		m.state = joining
	}
	r.members = append(r.members, m)
	return m, start, nil
}

// join puts a member that was started into the Group. It returns an error if the Group was stopped
// meanwhile.
func (r *roster) join(m *member) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.phase == over {
		return errOver
	}
	m.state = inGroup
	return nil
}

// leave takes the member that is meant out of the Group. Its queue and name stay taken until drop.
// By name, with c nil, there must be one of that name. The caller may be a handler of the consumer
// that has the Spec within.
func (r *roster) leave(name string, c *Consumer, within *Spec) (*member, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var meant, elsewhere []*member
	for _, m := range r.members {
		switch {
		case c != nil && m.c != c, c == nil && m.c.spec.Name != name:
		case m.state == inGroup:
			meant = append(meant, m)
		default:
			elsewhere = append(elsewhere, m)
		}
	}
	switch {
	case len(meant) > 1:
		return nil, fmt.Errorf("the connections %q and %q each have one of this name, use RemoveConsumer", meant[0].c.spec.Connection, meant[1].c.spec.Connection)
	case len(meant) == 1 && within == &meant[0].c.spec:
		return nil, ErrOwnHandler
	case len(meant) == 1:
		meant[0].state = leaving
		return meant[0], nil
	case len(elsewhere) > 0 && elsewhere[0].state == joining:
		return nil, errors.New("it is being added; the end of that Add's context ends it")
	case len(elsewhere) > 0:
		return nil, errors.New("it is being removed already")
	}
	return nil, ErrNotInGroup
}

// isOver returns whether the Group was stopped.
func (r *roster) isOver() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase == over
}

// drop frees the queue and the name of a member.
func (r *roster) drop(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = slices.DeleteFunc(r.members, func(other *member) bool { return other == m })
}
