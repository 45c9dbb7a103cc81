package sending

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxLanes bounds the confirm channels of a pipeline.
const maxLanes = 4

// key is where a message goes: an exchange and a routing key.
type key struct{ exchange, routing string }

// router says on which lane a message goes. A key stays on its lane while it has messages there.
// All keys share the first lane until it is slow; then a key that is stuck keeps it, and others go
// to another one.
type router struct {
	stuckKeys atomic.Int32 // how many there are; written under mu

	mu     sync.Mutex // guards what is below, and what lanes say of themselves to it
	lanes  []*lane
	routes map[key]route
	stuck  map[key]*lane // keys whose queue does not confirm, and the lanes that they keep
}

// route is a key's lane, and how many of its messages are there.
type route struct {
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
func (r *router) enter(m *Message, stuckOn *lane, open func() *lane) *lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := m.key()
	l := r.stuck[k]
	if l != stuckOn {
		return nil
	}
	if l == nil {
		l = r.choose(k, open)
	}
	if l == nil { // it waits with the stuck ones of the lane that has the fewest messages
		r.stick(k, slices.MinFunc(r.lanes, func(a, b *lane) int { return a.messages - b.messages }))
		return nil
	}
	r.put(m, k, l)
	return l
}

func (r *router) put(m *Message, k key, l *lane) {
	m.lane = l
	l.messages++
	if now := r.routes[k]; now.lane == l {
		r.routes[k] = route{l, now.n + 1}
		return
	}
	if r.routes == nil {
		r.routes = map[key]route{}
	}
	r.routes[k] = route{l, 1}
}

// choose finds the lane of a key that is not stuck, nil if all lanes are slow.
func (r *router) choose(k key, open func() *lane) *lane {
	if now := r.routes[k]; now.n > 0 && !now.lane.slow {
		return now.lane
	}
	if i := slices.IndexFunc(r.lanes, func(l *lane) bool { return !l.slow }); i >= 0 {
		return r.lanes[i]
	}
	if len(r.lanes) == maxLanes {
		return nil
	}
	l := open()
	r.lanes = append(r.lanes, l)
	return l
}

// left takes the message off its lane. A lane without messages is not slow any more.
func (r *router) left(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.lane != nil {
		r.take(m, m.key())
	}
}

func (r *router) take(m *Message, k key) {
	l := m.lane
	l.messages--
	if now := r.routes[k]; now.lane == l {
		if now.n == 1 {
			delete(r.routes, k)
		} else {
			r.routes[k] = route{l, now.n - 1}
		}
	}
	if l.messages == 0 && l.slow {
		l.slow = false
		for k, of := range r.stuck {
			if of == l {
				delete(r.stuck, k)
			}
		}
		r.stuckKeys.Store(int32(len(r.stuck)))
	}
}

func (r *router) laneOf(m *Message) *lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.lane
}

// slow makes it known that a lane gets no confirms, and that its oldest message is of key k.
func (r *router) slow(l *lane, k key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.messages > 0 {
		l.slow = true
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

// move takes a message from its lane to another one. It returns nil if the message's key is stuck,
// no lane is without trouble, or the window has no place: the message takes a new one, and its old
// one stays behind.
func (r *router) move(m *Message, p *Pipeline) *lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := m.key()
	if r.stuck[k] != nil {
		return nil
	}
	to := r.choose(k, p.openLane)
	if to == nil || !p.room.tryTake() {
		return nil
	}
	m.account = p.room
	r.take(m, k)
	r.put(m, k, to)
	return to
}
