package errorqueue

import "fmt"

// edge is what is known of the place of a message that cannot be read. The broker ends each
// connection to which it would deliver that message. An edge is a value. Readers ask it how many
// messages they may read at once.
//
// A quorum queue puts the messages of a lost connection behind those that it got back before. So
// each lost connection moves the message that cannot be read: it becomes one of the last of all
// messages that were delivered before. A classic queue keeps its place.
//
// That holds for what a reader holds on one channel. The channel that ends the connection ends
// first, and a quorum queue gets back its messages before those of other channels. The message that
// cannot be read would then be near the head, and near the end after the next reading. So a reader
// takes few windows: see pieces.
type edge struct {
	known bool
	err   error // what ended the last connection

	safe int // messages that the last reading has read in front of it
	// The message was one of so many messages behind those: as many as the last reading had asked
	// for. If that was one, the span is what is looked through one by one.
	span int
	// Messages that were delivered before, at least. In a quorum queue the message is now one of
	// the last span of them.
	delivered int
	// Messages in the queue, the most that a reading has found; -1 if unknown.
	of   int
	last int // messages in the queue, as the last reading found it

	exact   bool // the last reading had asked for one message
	settled bool // and the reading before has ended at the same place
}

// pieces is in how many windows a reader takes the messages among which the message that cannot be
// read may be, at each of the two places. A window of 2,000 messages is narrowed down in four
// readings. With the windows in front of it that makes one chunk in a queue of some thousand
// messages.
const pieces = 8

// stuckError says that a message that cannot be read has ended a reading.
type stuckError struct {
	read   int // messages read in front of it
	window int // messages that were asked for: it is one of these
	// Messages in the queue when the reading began, -1 if unknown.
	of  int
	err error // what ended the connection
}

func (e *stuckError) Error() string {
	return fmt.Sprintf("one of the %d messages behind position %d cannot be read: %v", e.window, e.read, e.err)
}

func (e *stuckError) Unwrap() error { return e.err }

// met returns the edge after another reading that the message has ended. The broker itself may be
// the cause of one such end, so only a second one makes the place exact. A reading that found fewer
// messages than the one before proves nothing: the messages of that one were still on their way
// back, but the message that cannot be read was not.
func (e edge) met(s *stuckError) edge {
	next := edge{known: true, err: s.err, safe: s.read, span: s.window, delivered: max(e.delivered, s.read+s.window), of: s.of, last: s.of}
	if s.window == 1 { // it may be a little farther: delivered may be too low
		next.span = min(max(e.span, 1), pieces)
	}
	next.exact = e.known && s.window == 1 && s.of >= e.last
	next.settled = next.exact && e.exact && e.safe == s.read
	if e.known {
		next.of = max(s.of, e.of)
	}
	return next
}

// without returns the edge after n messages in front of it were removed from the queue.
func (e edge) without(n int) edge {
	e.safe, e.delivered, e.of, e.last = max(0, e.safe-n), max(0, e.delivered-n), max(-1, e.of-n), max(-1, e.last-n)
	return e
}

// window returns how many messages a reader may ask for that has read so many and wants size more.
// Where the message that cannot be read may be it is a piece of the span, in the end one message.
func (e edge) window(read, size int) int {
	if !e.known {
		return size
	}
	for _, from := range e.places() {
		switch {
		case read < from:
			return min(size, from-read)
		case read < from+e.span:
			return min(size, (e.span+pieces-1)/pieces)
		}
	}
	return size
}

// near says whether the next message may be the one that cannot be read.
func (e edge) near(read int) bool {
	for _, from := range e.places() {
		if e.known && read >= from && read < from+e.span {
			return true
		}
	}
	return false
}

// places returns how many messages are in front of each span in which the message may be, in a
// classic queue and in a quorum queue.
func (e edge) places() [2]int { return [2]int{e.safe, max(e.safe, e.delivered-e.span)} }

// unreadable returns the error for the caller of a Queue.
func (e edge) unreadable() *UnreadableError {
	u := &UnreadableError{Position: e.safe + 1, Behind: -1, Err: e.err}
	if e.of >= 0 {
		u.Behind = max(0, e.of-u.Position)
	}
	return u
}
