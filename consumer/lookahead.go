package consumer

import (
	"sync/atomic"
	"time"
)

// lookahead decides how many messages are taken ahead, where the Spec leaves that open, by how long the
// handlers take. Many for those that take microseconds, or the broker's answers would be waited for. Few
// for slow handlers, as another process could be handling a message that waits here. Few for large
// messages, which take memory.
type lookahead struct {
	few, many   int // immutable; equal if the Spec says how many
	concurrency int // immutable
	window      int64

	// Attempts add to these as they end, and whoever fills a window begins the next. What ends in the same
	// moment may count in either window, or in none.
	n    atomic.Int64 // messages
	busy atomic.Int64 // nanoseconds that their handlers took
	size atomic.Int64 // bytes of their bodies

	isMany atomic.Bool // the decision
}

const (
	manyAhead       = 300
	lookaheadWindow = 256 // messages between decisions

	// Many are taken while handlers would be done with so many within aheadFor and their bodies take
	// less than aheadSize; few again when they would take longer than tooLong, or more than tooLarge.
	aheadFor, tooLong   = 200 * time.Millisecond, time.Second
	aheadSize, tooLarge = 8 << 20, 16 << 20

	// aLongTime is how long one handler, or each worker, may take until the decision waits for no others.
	aLongTime = time.Second
)

// newLookahead is for a resolved Spec, whose Prefetch was left open or not. A single active consumer
// takes few: it would give up its place to take another number.
func newLookahead(s *Spec, open bool) *lookahead {
	l := &lookahead{few: s.Prefetch, many: s.Prefetch, concurrency: s.Concurrency, window: lookaheadWindow}
	if open && !s.SingleActive {
		l.many = min(max(manyAhead, 3*s.Concurrency), 65535)
	}
	return l
}

// note counts a handler's end. It returns how many are to be taken ahead, and whether that has changed.
func (l *lookahead) note(took time.Duration, bytes int) (ahead int, changed bool) {
	if l.many == l.few {
		return l.few, false
	}
	busy, size, n := l.busy.Add(int64(took)), l.size.Add(int64(bytes)), l.n.Add(1)
	if n < l.window && busy < int64(aLongTime)*int64(l.concurrency) && size < tooLarge && took < aLongTime {
		return 0, false
	}
	l.n.Store(0)
	l.busy.Store(0)
	l.size.Store(0)
	each := float64(l.many) / float64(n)
	lasts, large := time.Duration(float64(busy)*each/float64(l.concurrency)), int(float64(size)*each)
	if l.isMany.Load() {
		return l.few, (lasts > tooLong || large > tooLarge) && l.isMany.CompareAndSwap(true, false)
	}
	return l.many, lasts < aheadFor && large < aheadSize && l.isMany.CompareAndSwap(false, true)
}
