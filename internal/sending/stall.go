package sending

import "time"

const (
	// askAfter is how long a shared lane's channel may give no confirm before it is asked whether
	// the broker takes anything on it.
	askAfter = 400 * time.Millisecond
	// aloneFor is how long the first message of a key that is apart may take before the key is
	// stuck.
	aloneFor = 400 * time.Millisecond
	// stuckAfter is how old a message is at least whose key is stuck, and half of how old it is at
	// most.
	stuckAfter = time.Second
)

// stall notices that a lane's channel gives no confirms. Only the collector uses it.
type stall struct {
	lane *lane // immutable

	looked  time.Time       // the last look
	answers uint64          // of the channel by then
	since   time.Time       // of the first look that found no new answers
	answer  <-chan struct{} // to the question, closed when it has come; nil if none was asked
	reach   uint64          // the last tag that was written by then
	doubt   doubt           // while the answer is still to come

	mark   uint64    // the last tag that was written by markAt
	markAt time.Time // when
	old    uint64    // tags up to this one are older than stuckAfter
}

// look is called every lookEvery while messages are in flight.
func (s *stall) look(c *collector) {
	if s == nil || c.all.Len() == 0 {
		return
	}
	now := time.Now()
	idle := now.Sub(s.looked) > 10*lookEvery // nothing was in flight
	s.looked = now
	answers := c.flight.answers.Load()
	if _, alarm, _ := c.flight.session.Blocked(); alarm || idle {
		s.answers, s.since = answers, now
		s.mark, s.markAt, s.old = c.pushed, now, 0
		return
	}
	if answers != s.answers {
		s.answers, s.since = answers, now
	}
	if now.Sub(s.markAt) >= stuckAfter {
		s.old, s.mark, s.markAt = s.mark, c.pushed, now
	}
	switch {
	case c.flight.own.Load():
		s.alone(c, now)
		if c.flight.held.Load() {
			c.flight.pipeline.dismiss(c, s.lane)
		}
	case c.flight.held.Load():
		c.flight.pipeline.scatter(c, s.lane) // what was written meanwhile
	case s.isHeld(c, now):
		c.flight.held.Store(true)
		c.flight.pipeline.scatter(c, s.lane)
	}
	s.age(c)
}

// isHeld asks the broker, and says whether the channel is held.
func (s *stall) isHeld(c *collector, now time.Time) bool {
	switch {
	case s.answer == nil:
		if now.Sub(s.since) >= askAfter || c.pushed-c.flight.floor.Load() >= sharedAhead {
			s.reach, s.answer = c.pushed, c.flight.question.ask(c.flight.ch)
		}
		s.doubt = doubt{}
	case isClosed(s.answer):
		s.answer, s.since = nil, now
		c.flight.passed(s.reach)
	case now.Sub(s.since) < askAfter: // a message was confirmed meanwhile
		s.doubt = doubt{}
	default:
		beats := s.doubt.grow(c.flight.session, now)
		return beats >= heldAfter && beats-heldAfter >= len(c.keys())/keysPerBeat
	}
	return false
}

// alone finds out that the queue of a key with a lane of its own does not confirm.
func (s *stall) alone(c *collector, now time.Time) {
	if c.flight.answers.Load() == 0 && now.Sub(s.since) >= aloneFor {
		s.old = max(s.old, c.pushed)
	}
}

// age makes the keys of old messages stuck on the lane. What they have of the window goes to
// others.
func (s *stall) age(c *collector) {
	p, found := c.flight.pipeline, false
	for _, e := range c.all.Left() {
		if e.tag > s.old {
			break
		}
		if !e.moved {
			found = true
			p.router.slow(s.lane, e.m.key())
			p.ease(e.m, s.lane)
		}
	}
	if found && c.flight.own.Load() {
		s.lane.ease()
	}
}

// scatter takes all messages off a shared lane whose channel is held. Those of its keys are sent
// again, each key on a lane of its own. They keep their places.
func (p *Pipeline) scatter(c *collector, l *lane) {
	keys := c.keys()
	if len(keys) == 0 {
		return
	}
	if p.router.held(l, keys, p.openLane) {
		c.flight.own.Store(true)
		c.stall.old = c.pushed
		p.putBack(l.others(keys[0])...)
		return
	}
	p.putBack(c.takeOff()...)
	p.putBack(l.end()...)
}

// keys are those of which the lane carries messages.
func (c *collector) keys() (keys []key) {
	var known map[key]bool
	for _, e := range c.all.Left() {
		if e.moved || known[e.m.key()] {
			continue
		}
		if known == nil {
			known = map[key]bool{}
		}
		known[e.m.key()] = true
		keys = append(keys, e.m.key())
	}
	return keys
}

// dismiss takes messages off the lane that was left to one key: those of others, which were about
// to be written then.
func (p *Pipeline) dismiss(c *collector, l *lane) {
	all := c.all.Left()
	for i := range all {
		if e := &all[i]; !e.moved && p.router.strays(e.m, l) {
			e.moved = true
			p.putBack(e.m)
		}
	}
}

// ease takes a message's place off the window, so that there is room for others: it becomes one of
// those for the lane's stuck keys, or none.
func (p *Pipeline) ease(m *Message, l *lane) {
	if m.account != p.room {
		return
	}
	m.account = nil
	if l.room.tryTake() { // before who waits for the window's place
		m.account = l.room
	}
	p.room.give()
}
