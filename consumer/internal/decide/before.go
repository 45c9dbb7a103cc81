package decide

import (
	"github.com/bunnicula-go/bunnicula/internal/route"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Suspicious is the number of returns from which a message is set aside. The first return may have
// been an accident of a neighbour's.
const Suspicious = 2

// Moment is too little to go round again for: the worker waits for it.
const Moment = 50 * time.Millisecond

// Before decides about a delivery whose handler has not run. It is false, with no Settlement, for
// one whose handler is to run now.
func Before(r *Rules, f *Facts, g Given) (Settlement, bool) {
	switch {
	case f.Unread:
		return r.unread(), true
	case f.NotBefore.IsZero() && f.Returns == 0:
		return Settlement{}, false // most messages
	case f.NotBefore.Sub(g.Now) >= Moment:
		return r.early(f, g), true
	case f.Alone && Suspicious+f.Returns >= r.MaxCrashes:
		return r.crashed(f, g), true
	case !f.Alone && f.Returns >= Suspicious && r.guarded():
		return r.aside(f, g)
	}
	return Settlement{}, false
}

// GiveBack is a copy of a message for its own queue, with no attempt used. Before RabbitMQ 4.3 a nack
// raises the delivery count, and the copy's count is fresh: so a message that was given back twice
// does not look like one that killed its process twice. It is false for a message whose headers leave
// no room for it.
func GiveBack(r *Rules, f *Facts, g Given) (Settlement, bool) {
	p := plan{to: route.Main(r.Topology), attempts: f.tried(), notBefore: f.NotBefore}
	s := r.copy(f, p, g)
	return s, s.Deed == DeedCopy
}

// early sends a message round again that came more than a Moment before its time.
func (r *Rules) early(f *Facts, g Given) Settlement {
	left := f.NotBefore.Sub(g.Now)
	p := plan{to: route.Retry(r.Topology, left), attempts: f.tried()}
	p.outcome.Delay = max(left, p.to.Delay)
	if p.to.Delay < left {
		p.notBefore = f.NotBefore
	}
	return r.copy(f, p, g)
}

// aside puts a message that came back twice into the quarantine queue. One that no copy can be made of
// is handled where it is.
func (r *Rules) aside(f *Facts, g Given) (Settlement, bool) {
	p := plan{to: r.Quarantine, attempts: f.tried(), notBefore: f.NotBefore}
	if c := r.whole(f, p, g); c.fits() {
		return Settlement{Deed: DeedCopy, Copy: c}, true
	}
	c := r.bare(f, p.to, g)
	return Settlement{Deed: DeedCopy, Copy: c}, c.fits()
}

// crashed is about a message that came back too often while it was handled alone. The broker counts a
// lost connection like a death, and only the process that lost it can tell. So the message first
// waits for a hearing: it goes round the quarantine queue, and who has lost a session and lives counts
// that off and handles it. After the hearing it is parked.
func (r *Rules) crashed(f *Facts, g Given) Settlement {
	if !f.CrashedAt.IsZero() && g.Now.Sub(f.CrashedAt) >= r.Hearing {
		p := r.park(f)
		p.outcome = parked(monitoring.ReasonCrashed, ErrCrashed, "")
		return r.copy(f, p, g)
	}
	p := plan{to: r.Quarantine, attempts: f.tried(), notBefore: f.NotBefore, crashes: f.Returned, crashedAt: f.CrashedAt}
	if p.crashedAt.IsZero() {
		p.crashedAt = g.Now
	}
	return r.copy(f, p, g)
}

// Hear is about a message from quarantine that this process may not handle now, as it handles another one alone. One that
// has its hearing, and that this process has survived, is cleared: the copy's count is without those times. All others
// go round.
func Hear(r *Rules, f *Facts, g Given) Settlement {
	if Suspicious+f.Returns >= r.MaxCrashes {
		return r.crashed(f, g)
	}
	p := plan{to: r.Quarantine, attempts: f.tried(), notBefore: f.NotBefore, crashes: f.Returned}
	if !f.CrashedAt.IsZero() {
		p.crashes = f.Returns
	}
	return r.copy(f, p, g)
}

// unread is about a message whose headers the client cannot read. No copy of it can be made, but the
// broker can dead-letter it whole.
func (r *Rules) unread() Settlement {
	if !r.Rejects {
		return Settlement{Deed: DeedLeave}
	}
	return Settlement{Deed: DeedReject, Outcome: parked(monitoring.ReasonUndecodable, ErrUnread, "")}
}
