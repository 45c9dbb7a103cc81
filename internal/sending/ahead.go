package sending

import "sync/atomic"

const (
	// sharedAhead is how many messages a shared lane writes behind the last answer. RabbitMQ stops
	// reading from a connection when one of its channels has 400 messages that it has not looked at
	// (credit_flow_default_credit), and all other channels wait with it.
	sharedAhead = 256
	// ownAhead is how many messages a lane of a key that is apart has in flight.
	ownAhead = 64
)

// ahead is how far the carrier of a channel may write ahead of the broker's answers.
type ahead struct {
	more  chan struct{} // to the carrier, if it waits: there may be room
	waits atomic.Bool   // the carrier sets it when it waits for that, and the collector takes it back

	// The collector writes these.
	own     atomic.Bool   // the channel is of keys that are apart; fly sets it for their lanes
	proven  atomic.Bool   // a message was confirmed
	answers atomic.Uint64 // confirms so far, nacks too
	floor   atomic.Uint64 // the last tag that had been written when the broker last answered
}

// hasRoom says whether a lane may write another message now. If not, more tells when to ask again.
func (f *flight) hasRoom() bool {
	if f.room() {
		return true
	}
	f.waits.Store(true)
	return f.room() // the collector may have made room before it could see that
}

// room says whether a lane may write another message now. A key that is apart may be of a queue
// that holds the channel: nothing goes behind its first message before that is confirmed.
func (f *flight) room() bool {
	if !f.own.Load() {
		return f.tag-f.floor.Load() < sharedAhead
	}
	open := f.tag - f.answers.Load()
	return open == 0 || f.proven.Load() && open < ownAhead
}

// answered notes a confirm. The collector calls it; pushed is the last tag that it knows of.
func (f *flight) answered(pushed uint64) {
	f.answers.Add(1)
	f.passed(pushed)
}

// passed notes that the broker takes what is written: all up to this tag, if that is known.
func (f *flight) passed(tag uint64) {
	f.floor.Store(tag)
	if f.waits.Load() && f.waits.Swap(false) {
		select {
		case f.more <- struct{}{}:
		default:
		}
	}
}
