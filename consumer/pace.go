package consumer

import (
	"sync/atomic"
	"time"
)

// pace decides how many messages are taken ahead, where the Spec leaves it open, by how long the handlers
// take. Many for those that take microseconds, or the broker's answers would be waited for; few for slow
// ones, as a message that waits here is one that another process could be handling, and for large messages, which
// take memory.
type pace struct {
	few, many   int // the same if nothing is left open
	concurrency int
	window      int64 // messages between decisions

	n, busy, size atomic.Int64 // messages since the last one, the nanoseconds that their handlers took, and the bytes of their bodies
	eager         atomic.Bool  // many are taken
}

const (
	manyAhead = 300
	paceEvery = 256

	// How long the handlers may work on what was taken ahead, and how large it may be: many are taken if both are less than the
	// first, and few again if one is more than the second.
	aheadFor, tooLong   = 200 * time.Millisecond, time.Second
	aheadSize, tooLarge = 8 << 20, 16 << 20

	aLongTime = time.Second // of a handler, or of each worker: the decision does not wait for others

	// backlogMayLast is how long what was taken when handlers were fast may wait for those that are slow now.
	backlogMayLast = 5 * time.Second
)

// set is for a resolved Spec, which left the Prefetch open or not. A single active consumer takes few: it gives up its place
// to take another number.
func (p *pace) set(s *Spec, open bool) {
	p.few, p.many, p.concurrency, p.window = s.Prefetch, s.Prefetch, s.Concurrency, paceEvery
	if open && !s.SingleActive {
		p.many = min(max(manyAhead, 3*s.Concurrency), 65535)
	}
}

// prefetch is that of a mode.
func (p *pace) prefetch(m mode) int {
	switch m {
	case slow:
		return 1
	case eager:
		return p.many
	}
	return p.few
}

// note counts a handler's end, and says whether that changes the decision. Those that end at the same moment may
// be counted in the next window, or lost; it does not matter.
func (p *pace) note(took time.Duration, bytes int) (changed bool) {
	if p.many == p.few {
		return false
	}
	busy, size, n := p.busy.Add(int64(took)), p.size.Add(int64(bytes)), p.n.Add(1)
	if n < p.window && busy < int64(aLongTime)*int64(p.concurrency) && size < tooLarge && took < aLongTime {
		return false
	}
	p.n.Store(0)
	p.busy.Store(0)
	p.size.Store(0)
	each := float64(p.many) / float64(n)
	lasts, large := time.Duration(float64(busy)*each/float64(p.concurrency)), int(float64(size)*each)
	if p.eager.Load() {
		return (lasts > tooLong || large > tooLarge) && p.eager.CompareAndSwap(true, false)
	}
	return lasts < aheadFor && large < aheadSize && p.eager.CompareAndSwap(false, true)
}
