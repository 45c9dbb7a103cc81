package use

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"
)

// Memory is a Store in the memory of this process, for Dedupe. Consumers of one process may share
// it.
//
// It has room for size ids:
//
//	what there is too much of    what becomes of a message
//	marks                        handled; the mark that would end first is forgotten (Forgotten)
//	claims: size handlers run    it snoozes with an error
//
// So a claim is never forgotten, and no message is handled without one. An id takes some 200 bytes
// (measured, with ids of 36 bytes), of which nothing is taken in advance.
//
// It does not promise anything beyond its process: another one handles its own copies, and after a
// restart all marks are gone. See package use/redis.
type Memory struct {
	size  int       // immutable
	start time.Time // times count from here, by a clock that nobody sets; immutable

	mu        sync.Mutex // guards what is below
	ids       map[string]*remembered
	claims    ends
	marks     ends
	forgotten int
}

var _ Store = (*Memory)(nil)

// remembered is a claim or a mark.
type remembered struct {
	key   string
	token string // "" of a mark
	until time.Duration
	index int // in claims or marks
}

// NewMemory makes a Memory with room for size ids, 1 or more. So many messages can be handled
// within keep, and be recognised: 1,000 a minute with a keep of an hour need 60,000.
func NewMemory(size int) (*Memory, error) {
	if size < 1 {
		return nil, fmt.Errorf("use: the size of a Memory is %d, want 1 or more", size)
	}
	return &Memory{size: size, start: time.Now(), ids: map[string]*remembered{}}, nil
}

// Forgotten returns how many marks were forgotten before their time. If it grows, the Memory is too
// small.
func (m *Memory) Forgotten() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.forgotten
}

// Claim implements Store. Its error is a Memory that is full of claims.
func (m *Memory) Claim(_ context.Context, key, token string, lease time.Duration) (Claim, error) {
	key = short(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Since(m.start)
	m.sweep(now)
	r := m.ids[key]
	switch {
	case r == nil:
		if err := m.room(); err != nil {
			return Claim{}, err
		}
		r = &remembered{key: key, token: token, until: now + lease}
		m.ids[key] = r
		heap.Push(&m.claims, r)
	case r.token == "":
		return Claim{State: ClaimDone}, nil
	case r.token != token:
		return Claim{State: ClaimBusy, Left: r.until - now}, nil
	default:
		r.until = now + lease
		heap.Fix(&m.claims, r.index)
	}
	return Claim{State: ClaimNew}, nil
}

// Settle implements Store. Its error is a Memory that is full of claims, when the lease of this one
// has ended.
func (m *Memory) Settle(_ context.Context, key, token string, done bool, keep time.Duration) error {
	key = short(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Since(m.start)
	m.sweep(now)
	r := m.ids[key]
	switch {
	case r != nil && r.token != token: // another's, or marked
		return nil
	case r != nil:
		heap.Remove(&m.claims, r.index)
		delete(m.ids, key)
	}
	if !done {
		return nil
	}
	if r == nil {
		if err := m.room(); err != nil {
			return err
		}
		r = &remembered{key: key}
	}
	r.token, r.until = "", now+keep
	m.ids[key] = r
	heap.Push(&m.marks, r)
	return nil
}

// sweep forgets what has ended.
func (m *Memory) sweep(now time.Duration) {
	for _, which := range []*ends{&m.claims, &m.marks} {
		for len(*which) > 0 && (*which)[0].until <= now {
			m.forget(which)
		}
	}
}

// room makes room for one id.
func (m *Memory) room() error {
	switch {
	case len(m.ids) < m.size:
		return nil
	case len(m.marks) == 0:
		return fmt.Errorf("use: a Memory for %d ids is full of messages that are being handled", m.size)
	}
	m.forget(&m.marks)
	m.forgotten++
	return nil
}

// forget forgets what ends first.
func (m *Memory) forget(which *ends) {
	delete(m.ids, heap.Pop(which).(*remembered).key)
}

// ends is a heap: what ends first is on top.
type ends []*remembered

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].until < e[j].until }
func (e ends) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

// Push implements heap.Interface.
func (e *ends) Push(x any) {
	r := x.(*remembered)
	r.index = len(*e)
	*e = append(*e, r)
}

// Pop implements heap.Interface.
func (e *ends) Pop() any {
	last := len(*e) - 1
	r := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return r
}
