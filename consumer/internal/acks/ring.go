package acks

import "time"

// Delay is how long a finished delivery may wait for others to be acknowledged with it.
const Delay = time.Millisecond

// Ack is a basic.ack to be sent. If Multiple is true it acknowledges every tag up to this one.
type Ack struct {
	Tag      uint64
	Multiple bool
}

// ring knows the state of every delivery tag of a channel. It has no clock, no lock and no channel:
// its methods take a time and return the acks that are to be sent, in their order. A tag that was
// neither finished nor gone is a gap, because a "multiple" behind it would acknowledge it.
type ring struct {
	first   uint64           // all tags before it are settled, but for those that are old
	states  []state          // of tag t at t modulo the length, a power of two, from first on
	old     map[uint64]state // of tags before first that are not settled; at most as many as the prefetch
	queue   []finished       // tags in the order in which they finished; some were settled since
	next    int              // index of the first of queue that was not looked at
	waiting int              // tags that are finished and not acknowledged
	sent    time.Time        // when the last ack was sent
	out     []Ack            // what the method in progress returns; kept to save an allocation
}

// state is what is known of a delivery tag.
type state uint8

const (
	open    state = iota // not delivered yet, or in hand
	ready                // finished, its ack waits
	settled              // acknowledged, given back or rejected
)

// finished is a tag and when it finished.
type finished struct {
	tag uint64
	at  time.Time
}

func newRing() *ring { return &ring{first: 1, states: make([]state, 64)} }

// finish notes that a tag has finished, so that it may be acknowledged.
func (r *ring) finish(tag uint64, now time.Time) {
	r.set(tag, ready)
	r.queue = append(r.queue, finished{tag, now})
	r.waiting++
}

// maxStates bounds the length of a ring's states. It is the largest prefetch, rounded up.
const maxStates = 1 << 16

// gone notes that a tag was settled by itself. It acknowledges the tags for which that was the last
// gap.
func (r *ring) gone(tag uint64, now time.Time) []Ack {
	r.set(tag, settled)
	r.out = r.out[:0]
	r.unbroken(now)
	return r.out
}

// due acknowledges the tags that have no gap before them, and those behind a gap that finished a
// Delay ago: a slow handler keeps no other handler's message unacked.
func (r *ring) due(now time.Time) []Ack { return r.collect(now, false) }

// flush acknowledges all tags that are finished.
func (r *ring) flush(now time.Time) []Ack { return r.collect(now, true) }

// wait returns how long the oldest finished tag may still wait. It must follow due, with the same
// time.
func (r *ring) wait(now time.Time) time.Duration {
	if r.waiting == 0 {
		return 0
	}
	return max(0, r.queue[r.next].at.Add(Delay).Sub(now))
}

// collect acknowledges the tags that have no gap before them, and those behind a gap that are old
// enough, or all.
func (r *ring) collect(now time.Time, all bool) []Ack {
	r.out = r.out[:0]
	r.unbroken(now)
	for ; r.waiting > 0; r.next++ {
		oldest := r.queue[r.next]
		if !r.is(oldest.tag, ready) {
			continue
		}
		if !all && now.Sub(oldest.at) < Delay {
			if r.next > 0 {
				r.queue, r.next = append(r.queue[:0], r.queue[r.next:]...), 0
			}
			return r.out
		}
		r.set(oldest.tag, settled)
		r.waiting--
		r.send(Ack{oldest.tag, false}, now)
	}
	r.queue, r.next = r.queue[:0], 0
	return r.out
}

// unbroken acknowledges the finished tags before the first gap.
func (r *ring) unbroken(now time.Time) {
	if len(r.old) > 0 { // a gap before all of states
		for ; r.is(r.first, settled); r.first++ {
			r.set(r.first, open)
		}
		return
	}
	last, n := uint64(0), 0
	for ; !r.is(r.first, open); r.first++ {
		if r.is(r.first, ready) {
			last = r.first
			n++
		}
		r.set(r.first, open) // the place in states belongs to a later tag now
	}
	r.waiting -= n
	if n > 0 {
		r.send(Ack{last, n > 1}, now)
	}
}

// send adds an ack to those that the method in progress returns.
func (r *ring) send(a Ack, now time.Time) {
	r.sent = now
	r.out = append(r.out, a)
}

// is returns whether a tag has a state.
func (r *ring) is(tag uint64, s state) bool {
	if tag < r.first {
		was, isOld := r.old[tag]
		return isOld && was == s
	}
	if tag-r.first >= uint64(len(r.states)) {
		return s == open
	}
	return r.states[tag%uint64(len(r.states))] == s
}

// set sets a tag's state. If states do not reach that tag they get longer. The prefetch does not
// bound their length, because other tags come and go behind the tag of a slow handler. So from
// maxStates on what is unsettled in their first half becomes old instead.
func (r *ring) set(tag uint64, s state) {
	switch {
	case tag >= r.first:
	case s == settled:
		delete(r.old, tag)
		return
	default:
		r.old[tag] = s
		return
	}
	for tag-r.first >= uint64(len(r.states)) {
		if len(r.states) < maxStates {
			r.lengthen()
		} else {
			r.leave(uint64(len(r.states) / 2))
		}
	}
	r.states[tag%uint64(len(r.states))] = s
}

func (r *ring) lengthen() {
	longer := make([]state, 2*len(r.states))
	for t := r.first; t < r.first+uint64(len(r.states)); t++ {
		longer[t%uint64(len(longer))] = r.states[t%uint64(len(r.states))]
	}
	r.states = longer
}

// leave moves first on by n tags. Those that are not settled become old.
func (r *ring) leave(n uint64) {
	if r.old == nil {
		r.old = map[uint64]state{}
	}
	for end := r.first + n; r.first < end; r.first++ {
		at := r.first % uint64(len(r.states))
		if was := r.states[at]; was != settled {
			r.old[r.first] = was
		}
		r.states[at] = open // it belongs to a later tag now
	}
}
