package decide

import (
	"time"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Suspicious is the number of returns from which a message is set aside. A single return may have
// been the fault of a neighbour.
const Suspicious = 2

// Moment is how early a message may be for the worker to wait for it, in place of another round in
// a retry queue.
const Moment = 50 * time.Millisecond

// maxAhead is how far ahead the clock of another host may be. A hearing that begins later than that
// would not end: it begins now.
const maxAhead = time.Hour

// Before decides about a delivery before its handler runs. It returns false, and no Settlement, if
// the handler is to run now.
func Before(r *Rules, f *Facts, g Given) (Settlement, bool) {
	switch {
	case f.Unread:
		return r.unread(g), true
	case f.NotBefore().IsZero() && f.Returns() == 0:
		return Settlement{}, false // most messages
	case f.NotBefore().Sub(g.Now) >= Moment:
		return r.early(f, g), true
	case f.Alone && Suspicious+f.Returns() >= r.MaxCrashes:
		return r.crashed(f, g), true
	case !f.Alone && f.Returns() >= Suspicious && r.guarded():
		return r.aside(f, g)
	}
	return Settlement{}, false
}

// GiveBack returns the Settlement that gives a message back by a copy for its own queue, with no
// attempt used. Before RabbitMQ 4.3 a nack raises the delivery count, and the count of a copy
// begins anew. So a message that was given back twice does not look like one that killed its
// process twice. GiveBack returns false for a message of which no copy can be made: its headers
// cannot be read, or leave no room.
func GiveBack(r *Rules, f *Facts, g Given) (Settlement, bool) {
	if f.Unread { // a copy would be without what cannot be read
		return Settlement{}, false
	}
	p := plan{to: route.Main(r.Topology), attempts: f.tried(), notBefore: f.NotBefore()}
	s := r.copy(f, p, g)
	return s, s.Deed == DeedCopy
}

// early has a message wait again that came a Moment or more before its time.
func (r *Rules) early(f *Facts, g Given) Settlement {
	left := f.NotBefore().Sub(g.Now)
	p := plan{to: route.Retry(r.Topology, left), attempts: f.tried()}
	p.outcome.Delay = max(left, p.to.Delay)
	if p.to.Delay < left {
		p.notBefore = f.NotBefore()
	}
	return r.copy(f, p, g)
}

// aside puts a message that was returned twice into the quarantine queue. It returns false if no
// copy of the message fits, so that its handler runs.
func (r *Rules) aside(f *Facts, g Given) (Settlement, bool) {
	p := plan{to: r.Quarantine, attempts: f.tried(), notBefore: f.NotBefore()}
	if c := r.whole(f, p, g); c.fits(g.limit()) {
		return Settlement{Deed: DeedCopy, Copy: c}, true
	}
	c := r.least(f, p.to, g)
	return Settlement{Deed: DeedCopy, Copy: c}, c.fits(g.limit())
}

// crashed is about a message that was returned too often while it was handled alone. The broker
// counts a lost connection like a death, and only the process that lost the connection knows
// better. So the message first has a hearing: it goes round the quarantine queue for a time. A
// process that has lost sessions and survived subtracts them, and handles the message if too few
// returns are left. After the hearing the message is parked.
func (r *Rules) crashed(f *Facts, g Given) Settlement {
	began := f.CrashedAt()
	if began.Sub(g.Now) > maxAhead {
		began = time.Time{}
	}
	if !began.IsZero() && g.Now.Sub(began) >= r.Hearing {
		p := r.park(f)
		p.outcome = parked(monitoring.ReasonCrashed, ErrCrashed)
		return r.copy(f, p, g)
	}
	p := plan{to: r.Quarantine, attempts: f.tried(), notBefore: f.NotBefore(), crashes: f.Returned(), crashedAt: began}
	if p.crashedAt.IsZero() {
		p.crashedAt = g.Now
	}
	return r.copy(f, p, g)
}

// Hear is about a message from quarantine that this process may not handle now, because the token
// is taken. If the message has its hearing, and has not crashed too often for this process, it is
// cleared: its copy counts only the returns that this process did not survive. Any other message
// goes round, or is parked when its hearing is over. One whose headers cannot be read is treated as
// Before does.
func Hear(r *Rules, f *Facts, g Given) (s Settlement, cleared bool) {
	if f.Unread {
		return r.unread(g), false
	}
	if Suspicious+f.Returns() >= r.MaxCrashes {
		return r.crashed(f, g), false
	}
	p := plan{to: r.Quarantine, attempts: f.tried(), notBefore: f.NotBefore(), crashes: f.Returned()}
	if cleared = !f.CrashedAt().IsZero(); cleared {
		p.crashes = f.Returns()
	}
	return r.copy(f, p, g), cleared
}

// unread is about a message whose headers the client cannot read. No copy of it can be made. The
// broker can dead-letter it whole; where that could lose it the message is held.
func (r *Rules) unread(g Given) Settlement {
	if !r.rejects(g) {
		return Settlement{Deed: DeedHold}
	}
	return Settlement{Deed: DeedReject, Outcome: parked(monitoring.ReasonUndecodable, ErrUnread)}
}
