package errorqueue

import "context"

// round is one reading in which a mover moves the chosen messages. Its rounds makes it, and takes
// its results when it has ended. One goroutine uses it.
type round struct {
	// Immutable.
	reader   *reader
	mover    *mover
	choice   choice
	most     int // messages to choose; negative is all
	expected int // messages to look at, negative if unknown
	doubtful bool
	within   *within
	tell     func(read, matched int) // reports the progress

	// Written by run, add and flush.
	burst []*held // chosen, not moved yet
	bytes int     // of the bodies in burst

	read      int // messages
	chosen    int // messages, without those that were moved before
	matched   int // messages that were chosen in this round and the earlier ones
	illegible int
	acksLost  int  // messages that were moved and acked before, and are still parked
	exhausted bool // no message is left to look at
}

// run reads and moves. It is done when enough messages are chosen, or none is left to look at.
// Otherwise it has held messages for as long as it may. After an error the messages in burst go
// back with the others.
func (r *round) run(ctx context.Context) (done bool, err error) {
	for r.most < 0 || r.chosen < r.most {
		if r.expected >= 0 && !r.doubtful && r.within.metAll(r.expected) {
			r.exhausted = true
			break
		}
		if r.reader.overdue() {
			return false, r.flush(ctx)
		}
		if r.reader.atEdge() { // messages that are not moved by then are lost with the connection
			if err := r.flush(ctx); err != nil {
				return false, err
			}
		}
		d, ok, err := r.reader.next(ctx)
		if err != nil {
			return false, err
		}
		if !ok || r.isNew(d) {
			r.exhausted = true
			break
		}
		r.read++
		r.tell(r.read, r.matched)
		if err := r.add(ctx, d); err != nil {
			return false, err
		}
	}
	return true, r.flush(ctx)
}

// isNew says whether a message has come since the first round. After a lost connection the count
// cannot tell that: a killed broker may have forgotten acks, so that moved messages are there
// again. A message that was never delivered is new if as many as expected were read in front of it.
func (r *round) isNew(d *held) bool {
	return r.doubtful && r.expected >= 0 && r.reader.read > r.expected && !d.Redelivered
}

// add adds a message to the burst if it is chosen, and moves a full burst.
func (r *round) add(ctx context.Context, d *held) error {
	if !r.within.has(d) {
		return nil
	}
	switch r.choice.of(&d.message) {
	case leave:
		return nil
	case leaveWhole:
		r.illegible++
		return nil
	}
	if r.mover.gaveUp(d) {
		return nil
	}
	if back, acked := r.mover.cameBack(d); !back {
		r.chosen++
		r.matched++
	} else if acked {
		r.acksLost++
		r.reader.moreToRead() // it was not counted among those that are left to read
	}
	r.burst, r.bytes = append(r.burst, d), r.bytes+len(d.Body)
	if len(r.burst) < r.mover.burst() && r.bytes < maxHeldInMemory {
		return nil
	}
	return r.flush(ctx)
}

// flush moves the burst.
func (r *round) flush(ctx context.Context) error {
	err := r.mover.move(ctx, r.reader, r.burst)
	r.tell(r.read, r.matched)
	r.burst, r.bytes = nil, 0
	return err
}
