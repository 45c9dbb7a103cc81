// Package acks settles the deliveries of one channel. Most of what a small message costs the broker is
// its ack, so finished deliveries are acknowledged together: one basic.ack with "multiple" for the tags
// without a gap, after at most a millisecond or a third of the prefetch.
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
// A decision of the ring and its write are one critical section. Otherwise a "multiple" of the timer
// could be written before the nack of an earlier tag, which would be lost by that.
type Acks struct {
	ch   Channel
	fell func() // called without the lock when Unsettled falls

	mu        sync.Mutex // guards all below, and the order of the writes on ch
	ring      *ring
	most      int         // as many that wait are acknowledged at once
	unsettled int         // taken, and not settled
	timer     *time.Timer // runs while acks wait
	over      bool
}

// New settles on ch. fell is called whenever a delivery has been settled; it must not block.
func New(ch Channel, fell func()) *Acks { return &Acks{ch: ch, fell: fell, ring: newRing(), most: 1} }

// Gather is told of a subscription's prefetch and of the workers. A third of the prefetch at most
// waits, and no tag whose replacement a worker could be waiting for.
func (a *Acks) Gather(prefetch, concurrency int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.most = max(1, min(prefetch/3, prefetch-concurrency))
}

// Take counts deliveries that have come.
func (a *Acks) Take(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsettled += n
}

// Unsettled is how many deliveries were taken and are not settled. A delivery whose ack waits counts as settled.
func (a *Acks) Unsettled() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unsettled
}

// Ack acknowledges a tag that has finished now, together with others. The first ack after a rest is sent at
// once: where messages come one by one, a late ack would meet the next message on the broker's way to the disk.
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

// AckNow acknowledges a tag by itself, at once.
func (a *Acks) AckNow(tag uint64) error {
	return a.settleAlone(tag, func() error { return a.ch.Ack(tag, false) })
}

// Nack gives a tag's message back to its queue. It says nothing about the message.
func (a *Acks) Nack(tag uint64) error {
	return a.settleAlone(tag, func() error { return a.ch.Nack(tag, false, true) })
}

// Reject lets the broker dead-letter a tag's message as it is.
func (a *Acks) Reject(tag uint64) error {
	return a.settleAlone(tag, func() error { return a.ch.Nack(tag, false, false) })
}

// Leave counts a delivery as settled that stays unacknowledged until the channel is closed.
func (a *Acks) Leave() error { return a.settle(func() error { return nil }) }

// Flush sends all acks that wait.
func (a *Acks) Flush() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return ErrOver
	}
	return a.write(a.ring.flush(time.Now()))
}

// End drops what waits, and returns how many acks that are. Nothing is sent after it.
func (a *Acks) End() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
	a.over = true
	return a.ring.waiting
}

func (a *Acks) settleAlone(tag uint64, how func() error) error {
	return a.settle(func() error { return a.single(tag, time.Now(), how) })
}

// settle runs how under the lock, unless the channel has ended, and counts a delivery off.
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

func (a *Acks) single(tag uint64, now time.Time, how func() error) error {
	gone := a.ring.gone(tag, now)
	if err := how(); err != nil {
		return err
	}
	return a.write(gone)
}

// collect sends what is due, and sets the timer for the rest.
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
		_ = a.collect(time.Now()) // if that fails the channel has ended, and its notice is on the way
	}
}
