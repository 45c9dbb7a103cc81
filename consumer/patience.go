package consumer

import (
	"sync"
	"time"
)

// patience is how long things of one kind may take, handlers or calls of the monitor. Who takes longer is told so. As all
// have the same limit, they run out of it in the order in which they began, and one timer is enough for all: it is not touched
// by those that are over in time, which a timer for each would be, twice for each message.
type patience struct {
	limit time.Duration

	mu          sync.Mutex
	first, last *underway
	timer       *time.Timer
	armed       bool // the timer runs
}

// underway is something that has begun and is not over. It is part of what it is about.
type underway struct {
	who            ringer
	due            time.Time
	earlier, later *underway
}

// ringer is told that its time is over, in a goroutine of its own.
type ringer interface{ ring() }

// begin must be followed by over.
func (p *patience) begin(u *underway, who ringer, now time.Time) {
	u.who, u.due = who, now.Add(p.limit)
	p.mu.Lock()
	defer p.mu.Unlock()
	if u.earlier = p.last; p.last != nil {
		p.last.later = u
	} else {
		p.first = u
	}
	p.last = u
	if !p.armed {
		p.arm(p.limit)
	}
}

// over is false if it rang, or is about to.
func (p *patience) over(u *underway) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u.who == nil {
		return false
	}
	p.remove(u)
	return true
}

func (p *patience) remove(u *underway) {
	if u.earlier != nil {
		u.earlier.later = u.later
	} else {
		p.first = u.later
	}
	if u.later != nil {
		u.later.earlier = u.earlier
	} else {
		p.last = u.earlier
	}
	*u = underway{}
}

// arm sets the timer for the first, which the time is left for.
func (p *patience) arm(left time.Duration) {
	p.armed = true
	if p.timer == nil {
		p.timer = time.AfterFunc(left, p.look)
		return
	}
	p.timer.Reset(left)
}

// look rings those whose time is over.
func (p *patience) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	for now := time.Now(); p.first != nil; {
		if left := p.first.due.Sub(now); left > 0 {
			p.arm(left)
			return
		}
		who := p.first.who
		p.remove(p.first)
		go who.ring()
	}
}

// end is for when nothing is under way any more, or nobody wants to know.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
}
