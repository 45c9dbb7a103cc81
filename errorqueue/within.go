package errorqueue

// within knows which messages are the first ones of the queue, so that a call takes no others: all
// that the first reading meets. Later readings recognise them. Places are not enough, because a
// lost connection changes them, and so does what a reader does for the delivery limit. One
// goroutine uses it, that of the call.
type within struct {
	most int // messages; 0 is the whole queue. Immutable

	// Written by again and has.
	met   seen
	begun bool // by the first reading
	fixed bool // no other message belongs to them
	count int  // messages that belong to them, in this reading
}

// again begins a reading.
func (w *within) again() {
	if w.whole() {
		return
	}
	w.fixed, w.begun, w.count = w.begun, true, 0
	w.met.again()
}

// has says whether a message that a reader has read is one of the first. Of several with the same
// id and body each can stand for the other.
func (w *within) has(d *held) bool {
	if w.whole() {
		return true
	}
	if w.fixed && !w.met.meets(d) {
		return false
	}
	if !w.fixed {
		w.met.before(d)
	}
	w.count++
	return true
}

// metAll says whether this reading has met as many of them as are left.
func (w *within) metAll(left int) bool { return !w.whole() && w.count >= left }

// whole says whether all messages may be taken.
func (w *within) whole() bool { return w == nil || w.most == 0 }

// extent returns how much of the queue the next reading reads.
func (w *within) extent(e edge) extent {
	what := whole(e)
	if !w.whole() && !w.fixed {
		what.most = w.most
	}
	return what
}

// of returns how many of a number of messages are looked at, -1 if that is unknown.
func (w *within) of(n int) int {
	if w.whole() || n < 0 {
		return n
	}
	return min(n, w.most)
}
