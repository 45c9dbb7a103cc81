package errorqueue

import (
	"context"
	"errors"
	"hash/maphash"
)

// readings is how often one call reads a queue, at most, to find the place of a message that cannot
// be read. Three to five readings make the place exact in most cases, and one or two more settle
// it.
const readings = 12

// untilExact calls read until it no longer returns a message that cannot be read, or until the
// place of that message is exact. All messages in front of it have been read then, and the error is
// an *UnreadableError.
func untilExact(ctx context.Context, read func(edge) error) (edge, error) {
	return reread(ctx, read, func(e edge) bool { return e.exact })
}

// untilSettled is untilExact, with one more reading that ends at the same place.
func untilSettled(ctx context.Context, read func(edge) error) (edge, error) {
	return reread(ctx, read, func(e edge) bool { return e.settled })
}

func reread(ctx context.Context, read func(edge) error, enough func(edge) bool) (edge, error) {
	var e edge
	for n := 1; ; n++ {
		err := read(e)
		var stuck *stuckError
		if !errors.As(err, &stuck) || ctx.Err() != nil {
			return e, err
		}
		if e = e.met(stuck); enough(e) || n == readings {
			return e, e.unreadable()
		}
	}
}

// seen recognises messages that an earlier reading of the same call has read. It takes 8 bytes for
// each message, and more only during a second reading.
type seen struct {
	// Written by again, before and meets.
	seed maphash.Seed
	read []uint64       // hashes of the messages, in their order
	left map[uint64]int // how many of each this reading has not met yet; nil in the first reading
}

// again begins another reading.
func (s *seen) again() {
	if s.read == nil {
		s.seed = maphash.MakeSeed()
		return
	}
	s.left = make(map[uint64]int, len(s.read))
	for _, mark := range s.read {
		s.left[mark]++
	}
}

// before says whether an earlier reading has read a message, and remembers the message if not. Two
// messages with the same id and body count as the same one: each can stand for the other.
func (s *seen) before(d *held) bool {
	if s.meets(d) {
		return true
	}
	s.read = append(s.read, s.hash(d))
	return false
}

// meets is before, and does not remember the message.
func (s *seen) meets(d *held) bool {
	if mark := s.hash(d); s.left[mark] > 0 {
		s.left[mark]--
		return true
	}
	return false
}

func (s *seen) hash(d *held) uint64 { return maphash.String(s.seed, d.message.Mark) }

// total is how many messages were read.
func (s *seen) total() int { return len(s.read) }
