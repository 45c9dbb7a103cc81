package errorqueue

import "fmt"

// edge is what is known of the place of a message that cannot be read: the broker ends the
// connection that should get it, and never delivers it. It is a value. Readers ask it how far they
// may read at once.
//
// A quorum queue puts what a lost connection held behind what it had got back before. So each lost
// connection changes the message's place: it becomes the last of all that was delivered before.
type edge struct {
	known bool
	err   error // what ended the last connection

	safe int // messages that the last reading could read before it
	span int // it is one of so many behind those: as many as were asked for when it ended a reading
	of   int // messages in the queue, the most that a reading has found; -1 if unknown
	last int // the same, as the last reading found it

	exact   bool // the last reading had asked for one message
	settled bool // and the reading before had ended at the same place
}

// stuckError says that a reading ended because of a message that cannot be read.
type stuckError struct {
	read   int   // messages before
	window int   // messages that were asked for: it is one of these
	of     int   // messages in the queue when the reading began, -1 if unknown
	err    error // what ended the connection
}

func (e *stuckError) Error() string {
	return fmt.Sprintf("one of the %d messages behind position %d cannot be read: %v", e.window, e.read, e.err)
}

func (e *stuckError) Unwrap() error { return e.err }

// met is the edge after another reading that the message has ended. One end may be the broker's own
// fault, so only a second one makes the place exact. A reading that found fewer messages than the
// one before proves nothing: what that one had held was still on its way back, and the message was
// not.
func (e edge) met(s *stuckError) edge {
	next := edge{known: true, err: s.err, safe: s.read, span: max(s.window, e.span), of: s.of, last: s.of}
	next.exact = e.known && s.window == 1 && s.of >= e.last
	next.settled = next.exact && e.exact && e.safe == s.read
	if e.known {
		next.of = max(s.of, e.of)
	}
	return next
}

// without is the edge after n messages in front of it were taken out of the queue.
func (e edge) without(n int) edge {
	e.safe, e.of, e.last = max(0, e.safe-n), max(-1, e.of-n), max(-1, e.last-n)
	return e
}

// window is how many messages a reading that has read so many may ask for, of as many as size. It
// is one where the message may be.
func (e edge) window(read, size int) int {
	switch {
	case !e.known || read >= e.safe+e.span:
		return size
	case read < e.safe:
		return min(size, e.safe-read)
	}
	return min(size, 1)
}

// near says whether the next message may be the one.
func (e edge) near(read int) bool { return e.known && read >= e.safe && read < e.safe+e.span }

// unreadable is the error for the caller of a Queue.
func (e edge) unreadable() *UnreadableError {
	u := &UnreadableError{Position: e.safe + 1, Behind: -1, Err: e.err}
	if e.of >= 0 {
		u.Behind = max(0, e.of-u.Position)
	}
	return u
}
