package acks

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// ackChannel is a channel that knows what its consumer has in hand, and fails the test over an ack
// that a broker would close it for, or that is for a message whose handler has not returned.
type ackChannel struct {
	Channel
	fatalf  func(string, ...any)
	err     error
	mu      sync.Mutex
	unacked map[uint64]bool // true when finished
	frames  int
}

// gathering is an acker for a subscription, which has just sent an ack.
func gathering(ch Channel, prefetch, concurrency int) *Acks {
	a := New(ch, func() {})
	a.Gather(prefetch, concurrency)
	a.ring.sent = time.Now()
	return a
}

func (c *ackChannel) lock() (unlock func()) {
	c.mu.Lock()
	return c.mu.Unlock
}

// seen is how many frames have come, and what is unacked now.
func (c *ackChannel) seen() (frames, unacked int) {
	defer c.lock()()
	return c.frames, len(c.unacked)
}

func (c *ackChannel) Ack(tag uint64, multiple bool) error {
	defer c.lock()()
	if c.err != nil {
		return c.err
	}
	c.frames++
	if _, ok := c.unacked[tag]; !ok {
		c.fatalf("tag %d is acked and not unacked: the broker closes the channel", tag)
	}
	for t, finished := range c.unacked {
		if t == tag || multiple && t < tag {
			if !finished {
				c.fatalf("tag %d is acked (by %d, multiple %t), and its handler has not returned", t, tag, multiple)
			}
			delete(c.unacked, t)
		}
	}
	return nil
}

func (c *ackChannel) Nack(tag uint64, _, _ bool) error {
	defer c.lock()()
	c.frames++
	if finished, ok := c.unacked[tag]; !ok || finished {
		c.fatalf("tag %d is given back: unacked %t, finished %t", tag, ok, finished)
	}
	delete(c.unacked, tag)
	return c.err
}

// step is one event in the life of a channel: a delivery, or one of those in hand is finished or
// given back.
type step struct {
	deliver bool
	which   int // of those in hand, often not the first: a slow handler makes a gap that others pass by the hundred
	how     int
	pause   time.Duration
}

func TestEveryFinishedDeliveryIsAckedInTimeAndNoOther(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		prefetch := rapid.IntRange(1, 40).Draw(rt, "prefetch")
		concurrency := rapid.IntRange(1, prefetch).Draw(rt, "concurrency")
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				rapid.Bool().Draw(t, "deliver"), rapid.OneOf(rapid.Just(1), rapid.IntRange(0, 39)).Draw(t, "which"),
				rapid.IntRange(0, 20).Draw(t, "how"), time.Duration(rapid.IntRange(0, 1500).Draw(t, "µs")) * time.Microsecond,
			}
		}), 1, 300).Draw(rt, "steps")
		var wrong string
		synctest.Test(t, func(*testing.T) {
			ch := &ackChannel{unacked: map[uint64]bool{}, fatalf: func(format string, args ...any) { wrong = fmt.Sprintf(format, args...) }}
			ch.live(gathering(ch, prefetch, concurrency), prefetch, steps)
		})
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// live takes the steps, and sees that nothing is left in the end.
func (c *ackChannel) live(a *Acks, prefetch int, steps []step) {
	next := uint64(1)
	for _, s := range steps {
		hand := c.hand()
		if _, unacked := c.seen(); s.deliver && unacked < prefetch {
			c.deliver(next, next)
			next++
		} else if len(hand) > 0 {
			tag := hand[s.which%len(hand)]
			c.mu.Lock()
			c.unacked[tag] = s.how > 0
			c.mu.Unlock()
			switch s.how {
			case 0:
				_ = a.Nack(tag)
			case 1:
				_ = a.AckNow(tag)
			default:
				_ = a.Ack(tag, time.Now())
			}
		}
		time.Sleep(s.pause)
		synctest.Wait()
	}
	time.Sleep(2 * Delay)
	synctest.Wait()
	if _, unacked := c.seen(); unacked > len(c.hand()) {
		c.fatalf("%d are unacked, and %d of them in hand", unacked, len(c.hand()))
	}
	if n := a.End(); n != 0 {
		c.fatalf("%d acks wait, and there is nothing to ack", n)
	}
}

// hand is what is not finished, in order.
func (c *ackChannel) hand() (tags []uint64) {
	defer c.lock()()
	for tag, finished := range c.unacked {
		if !finished {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags
}

// deliver makes tags from..to be in hand.
func (c *ackChannel) deliver(from, to uint64) {
	defer c.lock()()
	for tag := from; tag <= to; tag++ {
		c.unacked[tag] = false
	}
}

func newAckChannel(t *testing.T) *ackChannel {
	return &ackChannel{fatalf: t.Errorf, unacked: map[uint64]bool{}}
}

func (c *ackChannel) finish(t *testing.T, a *Acks, tags ...uint64) {
	t.Helper()
	for _, tag := range tags {
		c.mu.Lock()
		c.unacked[tag] = true
		c.mu.Unlock()
		if err := a.Ack(tag, time.Now()); err != nil && c.err == nil {
			t.Fatal(err)
		}
	}
}

func TestAThirdOfThePrefetchIsAckedAtOnceWithOneFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := newAckChannel(t)
		a := gathering(ch, 30, 4)
		ch.deliver(1, 30)
		tags := rand.Perm(10)
		for i, tag := range tags {
			if frames, _ := ch.seen(); frames > 0 {
				t.Fatalf("acked after %d", i)
			}
			ch.finish(t, a, uint64(tag)+1)
		}
		if frames, unacked := ch.seen(); frames != 1 || unacked != 20 {
			t.Errorf("%d frames, %d unacked, want one frame and 20", frames, unacked)
		}
	})
}

func TestALargePrefetchLeavesMostOfItToTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := newAckChannel(t)
		a := gathering(ch, 300, 16)
		ch.deliver(1, 300)
		for tag := uint64(1); tag <= 300; tag++ {
			ch.finish(t, a, tag)
			if frames, unacked := ch.seen(); frames != int(tag)/enough || unacked != 300-frames*enough {
				t.Fatalf("%d frames and %d unacked after %d", frames, unacked, tag)
			}
		}
		a.End()
	})
}

func TestAFewAreAckedAfterAMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := newAckChannel(t)
		a := gathering(ch, 300, 4)
		ch.deliver(1, 30)
		ch.finish(t, a, 2, 1, 3)
		time.Sleep(Delay - 1)
		synctest.Wait()
		if frames, _ := ch.seen(); frames != 0 {
			t.Error("acked too soon")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if frames, unacked := ch.seen(); frames != 1 || unacked != 27 {
			t.Errorf("%d frames, %d unacked, want one frame and 27", frames, unacked)
		}
	})
}

func TestTheFirstAckAfterARestIsSentAtOnceAndThoseBehindItTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := newAckChannel(t)
		a := gathering(ch, 300, 4)
		ch.deliver(1, 30)
		for i, first := range []uint64{2, 11, 21} { // 1 is in hand: what follows it is behind a gap
			time.Sleep(Delay)
			ch.finish(t, a, first)
			frames, _ := ch.seen()
			ch.finish(t, a, first+1, first+2)
			if now, _ := ch.seen(); frames != 3*i+1 || now != frames {
				t.Errorf("%d frames after %d, %d after the next two, want %d", frames, first, now, 3*i+1)
			}
			time.Sleep(Delay)
			synctest.Wait()
		}
		ch.finish(t, a, 1)
		ch.finish(t, a, 5, 6, 7)
		time.Sleep(Delay)
		synctest.Wait()
		if _, unacked := ch.seen(); unacked != 30-9-4 {
			t.Errorf("%d unacked", unacked)
		}
	})
}

// One handler that takes hours must not let the others' messages stand unacked, nor their tags fill
// the memory for ever.
func TestASlowHandlerKeepsNobodyElsesMessageUnacked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := newAckChannel(t)
		a := gathering(ch, 300, 64)
		ch.deliver(1, 1)
		for tag := uint64(2); tag < 5000; tag++ {
			ch.deliver(tag, tag)
			ch.finish(t, a, tag)
			time.Sleep(50 * time.Microsecond)
			synctest.Wait()
			if _, unacked := ch.seen(); unacked > 25 {
				t.Fatalf("%d are unacked at tag %d", unacked, tag)
			}
		}
		time.Sleep(Delay)
		synctest.Wait()
		ch.finish(t, a, 1)
		time.Sleep(Delay)
		synctest.Wait()
		if _, unacked := ch.seen(); unacked != 0 || a.ring.first != 5000 {
			t.Errorf("%d unacked, the first open tag is %d, want 0 and 5000", unacked, a.ring.first)
		}
		size := len(a.ring.states)
		for tag := uint64(5000); tag < 50_000; tag++ {
			ch.deliver(tag, tag)
			ch.finish(t, a, tag)
		}
		if len(a.ring.states) != size {
			t.Errorf("the ring grew from %d to %d with nobody slow", size, len(a.ring.states))
		}
	})
}

// A handler without a timeout may hold a message for a day, while 1.7 billion others come and go
// behind it. Another one holds a message from the middle of that.
func TestWhatComesBehindAHeldMessageTakesNoMemoryForEver(t *testing.T) {
	const prefetch = 300
	all := uint64(50_000_000)
	if testing.Short() {
		all = 2_000_000
	}
	r, now := newRing(), time.Now()
	held := map[uint64]bool{1: true, all / 2: true}
	acked, last, sent := uint64(0), uint64(1), 0 // by single acks
	take := func(acks []Ack) {
		for _, a := range acks {
			if a.Multiple || a.Tag == last || held[a.Tag] {
				t.Fatalf("got %+v behind a held message", a)
			}
			last = a.Tag
			acked++
		}
		sent += len(acks)
	}
	var pace [2]time.Duration // of the first and the last tenth
	began := time.Now()
	for tag := uint64(2); tag <= all; tag++ {
		if tag%50 == 0 {
			now = now.Add(Delay)
			take(r.due(now))
		}
		if !held[tag] {
			r.finish(tag, now)
		}
		switch tag {
		case all / 10:
			pace[0] = time.Since(began)
		case all - all/10:
			began = time.Now()
		}
	}
	pace[1] = time.Since(began)
	take(r.flush(now))
	if acked != all-2 {
		t.Errorf("%d are acked, want %d", acked, all-2)
	}
	if len(r.states) > maxStates || len(r.old) > prefetch || cap(r.queue) > 10*prefetch {
		t.Errorf("%d states, %d old ones, a queue of %d", len(r.states), len(r.old), cap(r.queue))
	}
	if pace[1] > 5*pace[0]+time.Second {
		t.Errorf("the first tenth took %s, the last one %s", pace[0], pace[1])
	}
	t.Logf("the first tenth of %d took %s, the last one %s", all, pace[0], pace[1])

	r.finish(1, now)
	if got := r.flush(now); !slices.Equal(got, []Ack{{1, false}}) {
		t.Errorf("the held one: %+v", got)
	}
	r.finish(all+1, now)
	r.finish(all+2, now)
	if got := r.flush(now); len(got) != 2 || got[0].Multiple || got[1].Multiple {
		t.Errorf("beside the other held one: %+v", got)
	}
	r.gone(all/2, now)
	r.finish(all+3, now)
	r.finish(all+4, now)
	if got := r.flush(now); !slices.Equal(got, []Ack{{all + 4, true}}) || len(r.old) != 0 {
		t.Errorf("with nobody slow: %+v, %d old ones", got, len(r.old))
	}
}

// The ring's states are short here, so that tags become old in the drawn orders.
func TestOldTagsAreAckedAsOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, now := newRing(), time.Now()
		left := map[uint64]bool{} // unsettled; true when it is finished
		next := uint64(1)
		settle := func(acks []Ack) {
			for _, a := range acks {
				if _, there := left[a.Tag]; !there {
					t.Fatalf("%d is acked twice", a.Tag)
				}
				for tag, finished := range left {
					if tag == a.Tag || a.Multiple && tag < a.Tag {
						if !finished {
							t.Fatalf("%+v acks %d, which is not finished", a, tag)
						}
						delete(left, tag)
					}
				}
			}
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			var open []uint64
			for tag, finished := range left {
				if !finished {
					open = append(open, tag)
				}
			}
			slices.Sort(open)
			switch how := rapid.IntRange(0, 9).Draw(t, "how"); {
			case how < 5 || len(open) == 0:
				left[next] = false
				next++
			case how < 8:
				tag := open[rapid.IntRange(0, len(open)-1).Draw(t, "which")]
				left[tag] = true
				r.finish(tag, now)
			case how == 8:
				tag := open[rapid.IntRange(0, len(open)-1).Draw(t, "which")]
				delete(left, tag)
				settle(r.gone(tag, now))
			default:
				if n := next - r.first; n > 4 { // as if the states were full
					r.set(next-1, r.states[(next-1)%uint64(len(r.states))])
					r.leave(n / 2)
				}
			}
			now = now.Add(Delay / 4)
			settle(r.due(now))
		}
		settle(r.flush(now))
		for tag, finished := range left {
			if finished {
				t.Fatalf("%d is finished and not acked", tag)
			}
		}
	})
}

// Where workers would wait for the next delivery, there is nothing to gain by waiting for more
// acks.
func TestNoWorkerWaitsForAnAckToBeGathered(t *testing.T) {
	for _, c := range []struct{ prefetch, concurrency, most int }{
		{1, 1, 1}, {4, 4, 1}, {5, 4, 1}, {8, 4, 2}, {10, 4, 3}, {90, 16, 30}, {300, 16, enough}, {300, 280, 20}, {65535, 1, enough},
	} {
		if a := gathering(nil, c.prefetch, c.concurrency); a.most != c.most {
			t.Errorf("prefetch %d, concurrency %d: %d are gathered, want %d", c.prefetch, c.concurrency, a.most, c.most)
		}
	}
}

func TestAfterItsEndAnAckerSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := newAckChannel(t)
		a := gathering(ch, 300, 4)
		ch.deliver(1, 30)
		ch.finish(t, a, 1, 2, 7)
		if n := a.End(); n != 3 {
			t.Errorf("%d were dropped, want 3", n)
		}
		for name, err := range map[string]error{"ack": a.Ack(8, time.Now()), "ackNow": a.AckNow(9), "giveBack": a.Nack(10), "flush": a.Flush()} {
			if !errors.Is(err, ErrOver) {
				t.Errorf("%s after the end: %v", name, err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if frames, _ := ch.seen(); frames != 0 {
			t.Errorf("%d frames were sent after the end", frames)
		}
	})
}

func TestAnAckThatTheChannelRefusesIsSaid(t *testing.T) {
	ch := newAckChannel(t)
	ch.deliver(1, 4)
	ch.err = errors.New("closed")
	a := gathering(ch, 1, 1)
	if err := a.Ack(1, time.Now()); !errors.Is(err, ch.err) {
		t.Errorf("the error is %v", err)
	}
}

// acked takes acks, and does nothing about them.
type acked struct{ Channel }

func (acked) Ack(uint64, bool) error { return nil }

func BenchmarkAcks(b *testing.B) {
	for _, bb := range []struct {
		name     string
		prefetch int
		gap      uint64        // of as many deliveries, the first is finished last
		age      time.Duration // of what is finished
	}{
		{"unbroken", 300, 1, 0},
		{"behind a gap", 300, 250, 0},
		{"behind a long gap", 300, 100_000, Delay}, // singly, as they are old enough
		{"prefetch 1", 1, 1, 0},
	} {
		b.Run(bb.name, func(b *testing.B) {
			a, tag := gathering(acked{}, bb.prefetch, 16), uint64(0)
			b.Cleanup(func() { a.End() })
			b.ReportAllocs()
			for b.Loop() {
				tag++
				finished := tag + 1
				if tag%bb.gap == 0 {
					finished = tag + 1 - bb.gap
				}
				if err := a.Ack(finished, time.Now().Add(-bb.age)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
