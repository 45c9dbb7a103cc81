package errorqueue

import "fmt"

// edge is what is known of the place of a message that cannot be read. The broker ends each
// connection to which it would deliver that message. An edge is a value. Readers ask it how many
// messages they may read at once.
//
// A quorum queue puts the messages of a lost connection behind those that it got back before. So
// each lost connection moves the message that cannot be read: it becomes the last of all messages
// that were delivered before.
type edge struct {
	known bool
	err   error // what ended the last connection

	safe int // messages that the last reading has read in front of it
	// The message is one of so many messages behind those: as many as the last reading had asked
	// for.
	span int
	// Messages in the queue, the most that a reading has found; -1 if unknown.
	of   int
	last int // messages in the queue, as the last reading found it

	exact   bool // the last reading had asked for one message
	settled bool // and the reading before has ended at the same place
}

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
	next := edge{known: true, err: s.err, safe: s.read, span: max(s.window, e.span), of: s.of, last: s.of}
	next.exact = e.known && s.window == 1 && s.of >= e.last
	next.settled = next.exact && e.exact && e.safe == s.read
	if e.known {
		next.of = max(s.of, e.of)
	}
	return next
}

// without returns the edge after n messages in front of it were removed from the queue.
func (e edge) without(n int) edge {
	e.safe, e.of, e.last = max(0, e.safe-n), max(-1, e.of-n), max(-1, e.last-n)
	return e
}

// window returns how many messages a reader may ask for that has read so many and wants size more.
// It is one where the message that cannot be read may be.
func (e edge) window(read, size int) int {
	switch {
	case !e.known || read >= e.safe+e.span:
		return size
	case read < e.safe:
		return min(size, e.safe-read)
	}
	return min(size, 1)
}

// near says whether the next message may be the one that cannot be read.
func (e edge) near(read int) bool { return e.known && read >= e.safe && read < e.safe+e.span }

// unreadable returns the error for the caller of a Queue.
func (e edge) unreadable() *UnreadableError {
	u := &UnreadableError{Position: e.safe + 1, Behind: -1, Err: e.err}
	if e.of >= 0 {
		u.Behind = max(0, e.of-u.Position)
	}
	return u
}
