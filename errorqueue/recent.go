package errorqueue

import "crypto/sha256"

// recent remembers what was moved last, and recognises it if a lost connection has brought it back
// into the queue. That may happen even to messages whose acks the broker has answered: it passes
// acks on to a quorum queue's leader when that has time for them. One goroutine uses it.
type recent struct {
	// Written by add, lose and cameBack.
	last   []moved       // since the last lost connection
	unsure map[moved]int // messages that may be parked still, and how many of each
}

// moved is a message that was moved: what tells it from others, and whether its ack was answered.
type moved struct {
	mark  string
	acked bool
}

const maxRecent = 2000 // messages; more than a broker has on its way

// add remembers messages, of which the first were acked.
func (r *recent) add(messages []*held, acked int) {
	for i, d := range messages {
		r.last = append(r.last, moved{mark(d), i < acked})
	}
	r.last = r.last[max(0, len(r.last)-maxRecent):]
}

// lose is for a connection that was lost: what was moved last may be parked still.
func (r *recent) lose() {
	if r.unsure == nil {
		r.unsure = map[moved]int{}
	}
	for _, one := range r.last {
		r.unsure[one]++
	}
	r.last = nil
}

// cameBack says whether a message was moved before and is parked still, and whether its ack had
// been answered.
func (r *recent) cameBack(d *held) (back, acked bool) {
	if len(r.unsure) == 0 {
		return false, false
	}
	for _, acked := range []bool{false, true} {
		if one := (moved{mark(d), acked}); r.unsure[one] > 0 {
			r.unsure[one]--
			return true, acked
		}
	}
	return false, false
}

// mark tells a message from others. Messages with the same mark have the same id and body, so that
// each is as good as the other.
func mark(d *held) string {
	sum := sha256.Sum256(d.Body)
	return d.MessageId + " " + string(sum[:])
}
