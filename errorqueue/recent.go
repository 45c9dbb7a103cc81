package errorqueue

// recent remembers the messages that were moved last, and recognises those that a lost connection
// has brought back into the queue. Even a message whose ack was answered may come back: the broker
// answers before it has passed the ack on to the leader of a quorum queue. One goroutine uses it.
type recent struct {
	// Written by add, lose and cameBack.
	last   []moved       // since the last lost connection
	unsure map[moved]int // messages that may still be parked, and how many of each
}

// moved identifies a message that was moved, and says whether its ack was answered. Messages with
// the same mark have the same id and body, so each can stand for the other.
type moved struct {
	mark  string
	acked bool
}

const maxRecent = 2000 // messages; more than a broker has on its way

// add remembers messages. acked says how many of them, from the first, were acked.
func (r *recent) add(messages []*held, acked int) {
	for i, d := range messages {
		r.last = append(r.last, moved{d.message.Mark, i < acked})
	}
	r.last = r.last[max(0, len(r.last)-maxRecent):]
}

// lose is called after a lost connection: the messages that were moved last may still be parked.
func (r *recent) lose() {
	if r.unsure == nil {
		r.unsure = map[moved]int{}
	}
	for _, one := range r.last {
		r.unsure[one]++
	}
	r.last = nil
}

// cameBack says whether a message was moved before and is still parked, and whether its ack was
// answered.
func (r *recent) cameBack(d *held) (back, acked bool) {
	if len(r.unsure) == 0 {
		return false, false
	}
	for _, acked := range []bool{false, true} {
		if one := (moved{d.message.Mark, acked}); r.unsure[one] > 0 {
			r.unsure[one]--
			return true, acked
		}
	}
	return false, false
}
