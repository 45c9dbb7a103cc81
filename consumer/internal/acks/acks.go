// Package acks settles the deliveries of one channel. Most of what a small message costs the broker
// is its ack. So finished deliveries are acknowledged together: one basic.ack with "multiple" for
// the tags without a gap, when enough of them wait or after a millisecond.
package acks

import (
	"errors"
	"sync"
	"time"
)

// ErrOver says that the channel has ended. What was delivered on it is the broker's again.
var ErrOver = errors.New("the session is over")

// Channel is the part of a channel that settles.
type Channel interface {
	Ack(tag uint64, multiple bool) error
	Nack(tag uint64, multiple, requeue bool) error
}

// Acks settles what was delivered on one channel. Its methods may be called from any goroutine.
//
// A decision of the ring and its write are one critical section. Otherwise the timer could write a
// "multiple" before the nack of an earlier tag. The broker would take that tag for acknowledged,
// and its message would be lost.
type Acks struct {
	ch   Channel // immutable
	fell func()  // immutable; called without the lock when Unsettled or InHand falls

	mu        sync.Mutex // guards all below, and the order of the writes on ch
	ring      *ring
	most      int         // when so many acks wait they are sent
	unsettled int         // deliveries that were taken and are not settled
	held      int         // those of them that nobody works on
	timer     *time.Timer // sends what waits; nil until it is first needed
	over      bool        // End was called
}

// New makes the Acks of a channel. fell is called whenever a delivery was settled or is held; it
// must not block.
func New(ch Channel, fell func()) *Acks { return &Acks{ch: ch, fell: fell, ring: newRing(), most: 1} }

// enough is how many acks are sent together at most. Sixteen save the broker most of what can be
// saved, and more than 32 gained nothing on RabbitMQ 4. Each message whose ack waits takes a place
// of the prefetch, so deliveries run dry before a larger number is reached. "Gathering acks" in
// docs/PERFORMANCE.md has the measurement.
const enough = 32

// Gather sets how many acks may wait, for a subscription with this prefetch and so many workers:
// enough, but a third of the prefetch at most. It is fewer where a worker could be idle until the
// broker has an ack and delivers the next message.
func (a *Acks) Gather(prefetch, concurrency int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.most = max(1, min(enough, prefetch/3, prefetch-concurrency))
}

// Take counts n deliveries that were taken from the channel.
func (a *Acks) Take(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsettled += n
}

// Unsettled returns how many deliveries were taken and are not settled. A delivery whose ack waits
// counts as settled.
func (a *Acks) Unsettled() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unsettled
}

// InHand returns how many deliveries are unsettled and not held. A stop waits for them.
func (a *Acks) InHand() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unsettled - a.held
}

// Hold counts an unsettled delivery as held: it may stay unacked until the channel ends. Release
// ends that, before the delivery is settled.
func (a *Acks) Hold() {
	a.mu.Lock()
	a.held++
	a.mu.Unlock()
	a.fell()
}

// Release takes back a Hold.
func (a *Acks) Release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held--
}

// Ack acknowledges a tag that has finished now, together with others. The first ack after a pause
// is sent at once. Where messages come one by one, a later ack would be written to the broker's
// disk together with the next message, and delay that message.
func (a *Acks) Ack(tag uint64, now time.Time) error {
	return a.settle(func() error {
		if a.most == 1 {
			return a.single(tag, now, func() error { return a.ch.Ack(tag, false) })
		}
		a.ring.finish(tag, now)
		switch {
		case a.ring.waiting >= a.most:
			return a.collect(now)
		case a.ring.waiting == 1 && now.Sub(a.ring.sent) >= Delay:
			return a.write(a.ring.flush(now))
		case a.ring.waiting == 1:
			a.schedule(Delay)
		}
		return nil
	})
}

// AckNow acknowledges a tag at once and by itself.
func (a *Acks) AckNow(tag uint64) error {
	return a.settleAlone(tag, func() error { return a.ch.Ack(tag, false) })
}

// Nack gives a tag's message back to its queue.
func (a *Acks) Nack(tag uint64) error {
	return a.settleAlone(tag, func() error { return a.ch.Nack(tag, false, true) })
}

// Reject rejects a tag's message without requeue, so that the broker dead-letters it as it is.
func (a *Acks) Reject(tag uint64) error {
	return a.settleAlone(tag, func() error { return a.ch.Nack(tag, false, false) })
}

// Leave counts a delivery as settled, and sends nothing: the message stays unacked until the
// channel is closed. After End it returns ErrOver.
func (a *Acks) Leave() error { return a.settle(func() error { return nil }) }

// Flush sends all acks that wait. After End it returns ErrOver.
func (a *Acks) Flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return ErrOver
	}
	return a.write(a.ring.flush(time.Now()))
}

// End drops the acks that wait, and returns how many they were. Nothing is sent after it.
func (a *Acks) End() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
	a.over = true
	return a.ring.waiting
}

// settleAlone settles a tag by how, at once and by itself.
func (a *Acks) settleAlone(tag uint64, how func() error) error {
	return a.settle(func() error { return a.single(tag, time.Now(), how) })
}

// settle runs how under the lock, unless End was called, and counts a delivery as settled in any
// case.
func (a *Acks) settle(how func() error) error {
	a.mu.Lock()
	err := ErrOver
	if !a.over {
		err = how()
	}
	a.unsettled--
	a.mu.Unlock()
	a.fell()
	return err
}

// single settles a tag by how, and sends the acks for which that tag was the gap.
func (a *Acks) single(tag uint64, now time.Time, how func() error) error {
	gone := a.ring.gone(tag, now)
	if err := how(); err != nil {
		return err
	}
	return a.write(gone)
}

// collect sends the acks that are due, and sets the timer for the others.
func (a *Acks) collect(now time.Time) error {
	err := a.write(a.ring.due(now))
	if err == nil && a.ring.waiting > 0 {
		a.schedule(a.ring.wait(now))
	}
	return err
}

func (a *Acks) write(all []Ack) error {
	for _, one := range all {
		if err := a.ch.Ack(one.Tag, one.Multiple); err != nil {
			return err
		}
	}
	return nil
}

func (a *Acks) schedule(d time.Duration) {
	if a.timer == nil {
		a.timer = time.AfterFunc(d, a.onTimer)
		return
	}
	a.timer.Reset(d)
}

func (a *Acks) onTimer() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		_ = a.collect(time.Now()) // an error: the channel has ended, and a notice tells that
	}
}
