package consumer

import (
	"errors"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// ackDelay is how long a finished delivery may wait for others to be acknowledged with it. It delays acks, not
// messages; without it there is hardly ever a second one to gather. After a rest of as long the first ack is sent at once: where
// messages come one by one, it would only meet the next on the broker's way to the disk.
const ackDelay = time.Millisecond

// acker gathers the acks of one channel. What is finished without a gap goes as one basic.ack with
// "multiple", which costs the broker and us half as much as one for each. What is finished behind a gap is acked singly once it is
// ackDelay old: a slow handler keeps nobody else's message unacked.
//
// "multiple" acks whatever was delivered on the channel up to its tag, so the acker goes by what every tag is
// known to be: one that nobody has spoken of yet is a gap.
type acker struct {
	ch   transport.Channel
	most int // as many that wait are acked at once

	mu      sync.Mutex
	first   uint64      // all tags before it are settled
	states  []tagState  // of tag t at t modulo the length, a power of two, from first on
	done    []finished  // from next on, in the order in which they were finished; some may have been acked since
	next    int         // of done
	waiting int         // tags that are finished
	sent    time.Time   // when the last ack was
	timer   *time.Timer // runs while there are any
	closed  bool        // the session is over: no more acks
}

// tagState is what is known of a delivery tag.
type tagState uint8

const (
	open    tagState = iota // not delivered yet, or being handled
	ready                   // finished, its ack waits
	settled                 // acked or given back
)

type finished struct {
	tag uint64
	at  time.Time
}

func newAcker(ch transport.Channel) *acker {
	return &acker{ch: ch, most: 1, first: 1, states: make([]tagState, 64)}
}

// gather is told of a subscription's prefetch and its workers. A third of the prefetch at most waits, and none
// that a worker could be waiting for the replacement of.
func (a *acker) gather(prefetch, concurrency int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.most = max(1, min(prefetch/3, prefetch-concurrency))
}

// ack acknowledges a tag that is finished now, soon. Its error says that the session is over.
func (a *acker) ack(tag uint64, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errSessionOver
	}
	if a.most == 1 {
		return a.settleNow(tag, func() error { return a.ch.Ack(tag, false) })
	}
	a.set(tag, ready)
	a.done = append(a.done, finished{tag, now})
	a.waiting++
	switch {
	case a.waiting >= a.most:
		return a.send(false)
	case a.waiting == 1 && now.Sub(a.sent) >= ackDelay:
		return a.send(true)
	case a.waiting == 1:
		a.sendIn(ackDelay)
	}
	return nil
}

// ackNow acknowledges a tag by itself, at once.
func (a *acker) ackNow(tag uint64) error {
	return a.settle(tag, func() error { return a.ch.Ack(tag, false) })
}

// giveBack returns a tag's message to its queue.
func (a *acker) giveBack(tag uint64) error {
	return a.settle(tag, func() error { return a.ch.Nack(tag, false, true) })
}

func (a *acker) settle(tag uint64, how func() error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errSessionOver
	}
	return a.settleNow(tag, how)
}

func (a *acker) settleNow(tag uint64, how func() error) error {
	a.set(tag, settled)
	if err := how(); err != nil {
		return err
	}
	return a.sendUnbroken()
}

// flush acks all that waits.
func (a *acker) flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errSessionOver
	}
	return a.send(true)
}

// end drops what waits, for it is the broker's again, and says how many those are.
func (a *acker) end() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
	a.closed = true
	return a.waiting
}

func (a *acker) sendIn(d time.Duration) {
	if a.timer == nil {
		a.timer = time.AfterFunc(d, a.due)
		return
	}
	a.timer.Reset(d)
}

func (a *acker) due() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		_ = a.send(false) // if that fails, the channel has ended, and its notice is on the way
	}
}

// send acks what has no gap before it, and of the rest what is old enough, or all.
func (a *acker) send(all bool) error {
	if err := a.sendUnbroken(); err != nil {
		return err
	}
	for now := time.Now(); a.waiting > 0; a.next++ {
		oldest := a.done[a.next]
		if !a.is(oldest.tag, ready) {
			continue
		}
		if left := oldest.at.Add(ackDelay).Sub(now); left > 0 && !all {
			if a.next > 0 {
				a.done, a.next = append(a.done[:0], a.done[a.next:]...), 0
			}
			a.sendIn(left)
			return nil
		}
		a.set(oldest.tag, settled)
		a.waiting--
		if err := a.write(oldest.tag, false); err != nil {
			return err
		}
	}
	a.done, a.next = a.done[:0], 0
	return nil
}

// sendUnbroken acks the finished tags before the first gap.
func (a *acker) sendUnbroken() error {
	last, n := uint64(0), 0
	for ; !a.is(a.first, open); a.first++ {
		if a.is(a.first, ready) {
			last = a.first
			n++
		}
		a.set(a.first, open) // the place is a later tag's now
	}
	a.waiting -= n
	if n == 0 {
		return nil
	}
	return a.write(last, n > 1)
}

func (a *acker) write(tag uint64, multiple bool) error {
	a.sent = time.Now()
	return a.ch.Ack(tag, multiple)
}

// is says whether a tag from first on has a state.
func (a *acker) is(tag uint64, s tagState) bool {
	if tag < a.first {
		return false
	}
	if tag-a.first >= uint64(len(a.states)) {
		return s == open
	}
	return a.states[tag%uint64(len(a.states))] == s
}

// set makes the ring reach the tag. Behind a slow handler the prefetch does not bound how far that is, for others come
// and go meanwhile; it is a byte for each.
func (a *acker) set(tag uint64, s tagState) {
	for tag-a.first >= uint64(len(a.states)) {
		longer := make([]tagState, 2*len(a.states))
		for t := a.first; t < a.first+uint64(len(a.states)); t++ {
			longer[t%uint64(len(longer))] = a.states[t%uint64(len(a.states))]
		}
		a.states = longer
	}
	a.states[tag%uint64(len(a.states))] = s
}

// ack acknowledges a delivery on the channel that it came from, and says whether it did. A
// delivery of a session that has ended is the broker's again: its ack is dropped and
// counted, and never sent on another channel, where its tag is another message's.
func (s *session) ack(d *received, now time.Time) bool {
	err := errSessionOver
	switch {
	case s.ctx.Err() != nil:
	case d.alone: // the broker counts who died over it; it must not count who died soon after
		err = s.acker.ackNow(d.raw.DeliveryTag)
	default:
		err = s.acker.ack(d.raw.DeliveryTag, now)
	}
	s.settled(d)
	if err != nil {
		s.consumer.stale.Add(1)
		s.consumer.log.Info("session ended before the ack, the broker delivers the message again", "message_id", d.MessageID, "err", err)
	}
	return err == nil
}

// giveBack returns deliveries to their queue, in the order given. Brokers before 4.3 count
// that as a delivery.
func (s *session) giveBack(all ...*received) {
	for _, d := range all {
		if s.ctx.Err() == nil {
			_ = s.acker.giveBack(d.raw.DeliveryTag) // if that fails the channel has ended, and they are back
		}
		s.settled(d)
	}
}

// leave keeps one delivery unacked until the channel is closed, which follows: the queue then has it back in
// its place.
func (s *session) leave(d *received) bool {
	s.settled(d)
	return s.ctx.Err() == nil
}

var errSessionOver = errors.New("the session is over")
