package sending

import (
	"errors"
	"time"
)

// stuckAfter is how long a lane may be without any confirm before it is slow. The queue of its
// oldest message may have lost its majority: the first message of a channel to such a queue holds
// up all behind it on the channel, for a minute each.
const stuckAfter = 2 * time.Second

// stall notices that a lane's channel gives no confirms. Only the collector uses it.
type stall struct {
	lane *lane // immutable

	looked  time.Time // the last look
	answers int       // of the channel by then
	since   time.Time // of the first look that found no new answers
	probe   *Message  // the last that was moved alone
}

// look is called every lookEvery while messages are in flight. If the lane is slow it makes the
// oldest message's key stuck there, and frees the others.
func (s *stall) look(c *collector) {
	if s == nil || c.all.len() == 0 {
		return
	}
	now := time.Now()
	_, alarm, _ := c.flight.session.Blocked()
	if alarm || c.answers != s.answers || now.Sub(s.looked) > 10*lookEvery { // the last: nothing was in flight
		s.answers, s.since, s.probe = c.answers, now, nil
	}
	s.looked = now
	if now.Sub(s.since) < stuckAfter {
		return
	}
	p, all := c.flight.pipeline, c.all.left()
	if front := frontOf(all); front != nil {
		p.router.slow(s.lane, front.m.key())
	}
	s.rescue(p, all)
	for i := range all {
		p.ease(all[i].place(), s.lane)
	}
}

// frontOf is the oldest message that the lane still carries, nil if there is none.
func frontOf(all []entry) *entry {
	for i := range all {
		if !all[i].moved {
			return &all[i]
		}
	}
	return nil
}

// rescue moves messages of other keys to another lane, where they are sent again: the first one to
// see whether that lane gets confirms, and if it does all others. Without that, in a broker that is
// only slow, all would be there twice.
func (s *stall) rescue(p *Pipeline, all []entry) {
	rest := false
	if s.probe != nil {
		select {
		case <-s.probe.done:
			rest = !errors.Is(s.probe.err, ErrUnconfirmed)
		default:
			return
		}
	}
	for i := range all {
		e := &all[i]
		if e.moved || e.m.state.Load() == ended {
			continue
		}
		old := e.m.account
		to := p.router.move(e.m, p)
		if to == nil {
			continue
		}
		e.moved, e.left = true, old
		s.probe = e.m
		to.putBack(e.m)
		if !rest {
			return
		}
	}
}

// place is where it is kept of which account the entry's place is.
func (e *entry) place() *account {
	if e.moved {
		return &e.left
	}
	return &e.m.account
}

// ease takes a place off the window, so that there is room for others: it becomes one of those for
// the lane's stuck keys, or none.
func (p *Pipeline) ease(of *account, l *lane) {
	if *of != p.room {
		return
	}
	*of = nil
	if l.room.tryTake() { // before who waits for the window's place
		*of = l.room
	}
	p.room.give()
}
