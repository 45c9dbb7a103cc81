package consumer

import (
	"sync/atomic"
	"time"
)

// lookahead decides how many messages are taken ahead where the Spec leaves that open. It takes
// many while handlers need microseconds, because workers would wait for the broker otherwise. It
// takes few while handlers are slow, because an idle process could handle a message that waits
// here, and few while messages are large, because they take memory. The bodies of what was taken
// ahead have a budget, too: large messages may come after many small ones.
type lookahead struct {
	// Immutable.
	few, many   int // equal if the Spec says how many
	concurrency int
	window      int64

	// The attempts of a window add to these as they end. The attempt that fills a window sets them
	// to zero. An attempt that ends at the same moment may count in either window, or in none.
	n    atomic.Int64 // messages
	busy atomic.Int64 // nanoseconds that their handlers took
	size atomic.Int64 // bytes of their bodies

	isMany atomic.Bool // the decision; the attempt that fills a window writes it
}

const (
	manyAhead       = 300
	lookaheadWindow = 256 // messages between decisions

	// Many are taken when the handlers would be done with so many within aheadFor, and their bodies
	// would take less than aheadSize. Few are taken again when so many would take longer than
	// tooLong or more than tooLarge. The distance between the two keeps the number from going to
	// and fro.
	aheadFor, tooLong   = 200 * time.Millisecond, time.Second
	aheadSize, tooLarge = 8 << 20, 16 << 20

	// budget is how many bytes of bodies that no worker has begun are kept while many are taken.
	budget = 32 << 20

	// A window ends early when one handler took aLongTime, all its handlers together took aLongTime
	// for each worker, or their bodies together took tooLarge.
	aLongTime = time.Second
)

// newLookahead makes a lookahead for a resolved Spec. open says that the user left Prefetch open. A
// single active consumer always takes few: it would have to give up its place to take another
// number.
func newLookahead(s *Spec, open bool) *lookahead {
	l := &lookahead{few: s.Prefetch, many: s.Prefetch, concurrency: s.Concurrency, window: lookaheadWindow}
	if open && !s.SingleActive {
		l.many = min(max(manyAhead, 3*s.Concurrency), 65535)
	}
	return l
}

// ahead returns how many messages are to be taken now, those that are being handled included.
func (l *lookahead) ahead() int {
	if l.isMany.Load() {
		return l.many
	}
	return l.few
}

// note counts an attempt that has ended. It returns whether ahead has changed.
func (l *lookahead) note(took time.Duration, bytes int) (changed bool) {
	if l.many == l.few {
		return false
	}
	busy, size, n := l.busy.Add(int64(took)), l.size.Add(int64(bytes)), l.n.Add(1)
	if n < l.window && busy < int64(aLongTime)*int64(l.concurrency) && size < tooLarge && took < aLongTime {
		return false
	}
	l.restart()
	each := float64(l.many) / float64(n)
	lasts, large := time.Duration(float64(busy)*each/float64(l.concurrency)), int(float64(size)*each)
	if l.isMany.Load() {
		return (lasts > tooLong || large > tooLarge) && l.isMany.CompareAndSwap(true, false)
	}
	return lasts < aheadFor && large < aheadSize && l.isMany.CompareAndSwap(false, true)
}

// overBudget is called when the bodies of what was taken ahead exceed the budget. It returns
// whether ahead has changed.
func (l *lookahead) overBudget() (changed bool) {
	l.restart()
	return l.isMany.CompareAndSwap(true, false)
}

// restart begins another window.
func (l *lookahead) restart() {
	l.n.Store(0)
	l.busy.Store(0)
	l.size.Store(0)
}
