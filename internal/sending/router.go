package sending

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxApart bounds the lanes of keys that are apart. Each has a channel.
const maxApart = 128

// key is where a message goes: an exchange and a routing key.
type key struct{ exchange, routing string }

// router says on which lane a message goes. All keys share a lane until its channel is held: the
// broker takes nothing on it. Any key with a message on that channel may be why. So each of them
// gets a lane of its own, where it can hold up no other. A key stays on its lane while it has
// messages there.
type router struct {
	stuckKeys atomic.Int32 // how many there are; written under mu

	mu     sync.Mutex // guards what is below, and what lanes say of themselves to it
	shared *lane      // nil until it is needed
	routes map[key]*assignment
	recent *assignment   // the last that was used; it stays in routes while it has no messages
	apart  map[key]*lane // keys that do not go to the shared lane
	own    []*lane       // the lanes of those keys
	stuck  map[key]*lane // keys whose queue does not confirm, and the lanes that they keep
}

// assignment is a key's lane, and how many of its messages are there. The router guards it.
type assignment struct {
	key  key
	lane *lane
	n    int
}

// stuckOn is the lane that a stuck key keeps, nil if the key is not stuck.
func (r *router) stuckOn(k key) *lane {
	if r.stuckKeys.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stuck[k]
}

// enter gives the message its lane, which open makes if there is none. It is nil if the message's
// key has become stuck, or has ceased to be so, since its place was taken.
func (r *router) enter(m *Message, stuckOn *lane, open func(isOwn bool) *lane) *lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := m.key()
	if r.stuck[k] != stuckOn {
		return nil
	}
	l := r.choose(k, open)
	r.put(m, k, l)
	return l
}

func (r *router) put(m *Message, k key, l *lane) {
	l.messages++
	m.assigned = r.assign(k, l)
	m.assigned.n++
}

// assign finds or makes the assignment of a key to a lane. Messages that follow each other mostly
// have the same.
func (r *router) assign(k key, l *lane) *assignment {
	if r.recent != nil && r.recent.key == k && r.recent.lane == l {
		return r.recent
	}
	if r.recent != nil && r.recent.n == 0 {
		r.forget(r.recent)
	}
	r.recent = r.routes[k]
	if r.recent == nil || r.recent.lane != l {
		if r.routes == nil {
			r.routes = map[key]*assignment{}
		}
		r.recent = &assignment{key: k, lane: l}
		r.routes[k] = r.recent
	}
	return r.recent
}

// forget removes an assignment without messages, unless the key has another by now.
func (r *router) forget(of *assignment) {
	if r.routes[of.key] == of {
		delete(r.routes, of.key)
	}
}

// choose finds a key's lane.
func (r *router) choose(k key, open func(isOwn bool) *lane) *lane {
	if l := r.apart[k]; l != nil {
		return l
	}
	if r.shared == nil {
		r.shared = open(false)
	}
	return r.shared
}

// left takes messages off their lanes.
func (r *router) left(messages ...*Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range messages {
		if m.assigned != nil {
			r.take(m)
		}
	}
}

func (r *router) take(m *Message) {
	from := m.assigned
	m.assigned = nil
	from.lane.messages--
	if from.n--; from.n == 0 && from != r.recent {
		r.forget(from)
	}
	r.letGo(from.lane)
}

// letGo ends a lane of keys that are apart when it has no messages. A stuck key stays apart,
// because it would hold up the shared lane.
func (r *router) letGo(l *lane) {
	if !l.own || l.messages > 0 {
		return
	}
	for k, of := range r.apart {
		if of == l && r.stuck[k] != nil {
			return
		}
	}
	r.dissolve(l)
}

// dissolve ends a lane without messages.
func (r *router) dissolve(l *lane) {
	for k, of := range r.apart {
		if of == l {
			delete(r.apart, k)
			delete(r.stuck, k)
		}
	}
	r.stuckKeys.Store(int32(len(r.stuck)))
	r.own = slices.DeleteFunc(r.own, func(o *lane) bool { return o == l })
	l.end()
}

// reroute gives a message that no lane has a lane again.
func (r *router) reroute(m *Message, open func(isOwn bool) *lane) *lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := m.key()
	to := r.choose(k, open)
	if m.assigned != nil && m.assigned.lane == to {
		return to
	}
	if m.assigned != nil {
		r.take(m)
	}
	r.put(m, k, to)
	return to
}

// held makes keys apart that have messages on a lane whose channel is held. If there is one key, it
// keeps the lane, unless that has ended: a lane that has written a message meanwhile is looked at
// again. Otherwise the lane gets no more messages, and each key gets another lane.
func (r *router) held(l *lane, keys []key, open func(isOwn bool) *lane) (keeps bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shared == l {
		r.shared = nil
	}
	if r.apart == nil {
		r.apart = map[key]*lane{}
	}
	if len(keys) == 1 && r.apart[keys[0]] == nil && len(r.own) < maxApart && !l.isOver() {
		l.own = true
		r.apart[keys[0]] = l
		r.own = append(r.own, l)
		r.stick(keys[0], l)
		return true
	}
	for _, k := range keys {
		if r.apart[k] == nil {
			r.apart[k] = r.openOwn(open)
		}
		if r.stuck[k] != nil {
			r.stuck[k] = r.apart[k]
		}
	}
	return false
}

// openOwn makes a lane for a key that is apart. If there are too many, it is the one with the
// fewest messages: then a key may wait for another one.
func (r *router) openOwn(open func(isOwn bool) *lane) *lane {
	if len(r.own) >= maxApart {
		l := slices.MinFunc(r.own, func(a, b *lane) int { return a.messages - b.messages })
		if l.messages > 0 {
			return l
		}
		r.dissolve(l)
	}
	l := open(true)
	r.own = append(r.own, l)
	return l
}

// isOwn says whether a lane is of keys that are apart.
func (r *router) isOwn(l *lane) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.own
}

// strays says whether a message goes to another lane than this one.
func (r *router) strays(m *Message, l *lane) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.apart[m.key()] != l
}

// slow makes it known that the queue of a key does not confirm. The key keeps its lane.
func (r *router) slow(l *lane, k key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of := r.routes[k]; of != nil && of.lane == l {
		r.stick(k, l)
	}
}

func (r *router) stick(k key, l *lane) {
	if r.stuck == nil {
		r.stuck = map[key]*lane{}
	}
	if r.stuck[k] == nil {
		r.stuck[k] = l
		r.stuckKeys.Store(int32(len(r.stuck)))
	}
}

// confirmed makes it known that the queue of a key does confirm.
func (r *router) confirmed(k key) {
	if r.stuckKeys.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.stuck[k]; l != nil {
		delete(r.stuck, k)
		r.stuckKeys.Store(int32(len(r.stuck)))
		r.letGo(l)
	}
}
