package consumer

import (
	"context"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

// onWay is a copy on its way. It has a place of the settler until its delivery is acked and the
// monitor was told. While the broker has it no goroutine waits for it.
type onWay struct {
	blockedCopy

	// Immutable.
	ctx  context.Context // of the handler, for the monitor
	what decide.Settlement
}

// Ended is called by the pipeline, once: the copy is confirmed, or will not be.
func (c *onWay) Ended(err error) {
	if err == nil {
		c.delivery.from.arrivals.add(c)
		return
	}
	go c.again(err)
}

// again goes on with a copy that was not confirmed at the first try.
func (c *onWay) again(err error) {
	s := c.settler
	defer s.exit()
	instead, placed := s.place(c, err)
	if instead.Deed != 0 {
		s.instead(c.ctx, c.delivery, c.what, instead)
		return
	}
	if placed && c.ack() {
		s.reporter.end(c.ctx, c.delivery, c.what)
	}
}

// arrive is called when the copy is confirmed. It does not wait for the monitor.
func (c *onWay) arrive() {
	s := c.settler
	c.over()
	if c.ack() && s.reporter.tells(c.what.Outcome) {
		go c.report()
		return
	}
	s.exit()
}

func (c *onWay) report() {
	defer c.settler.exit()
	c.settler.reporter.end(c.ctx, c.delivery, c.what)
}

// ack acks the delivery of a copy that is confirmed, and returns whether it did. In the other
// order, a broker that dies between the two has neither the message nor its copy. In this order it
// may have both, and the handler sees the message twice.
func (c *onWay) ack() bool {
	s, d := c.settler, c.delivery
	if !s.ack(d, time.Now()) {
		return false
	}
	if c.copy.To == s.rules.Quarantine && d.solo == nil {
		s.log.Warn("a message came back without an end, it will be handled alone", "message_id", d.loggedID(), "times", d.facts.Returns())
		s.asides.set()
	}
	return true
}

// arrivals are the confirmed copies of a channel's deliveries. An ack may wait for the socket, for
// which the pipeline must not. So a goroutine sends the acks, and ends when there are no more.
type arrivals struct {
	mu     sync.Mutex // guards both
	copies []*onWay   // to be acked, the first confirmed first
	acking bool       // the goroutine runs
}

func (a *arrivals) add(c *onWay) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.copies = append(a.copies, c)
	if !a.acking {
		a.acking = true
		c.settler.copying.Go(a.run)
	}
}

func (a *arrivals) run() {
	for some := a.take(nil); len(some) > 0; some = a.take(some) {
		for _, c := range some {
			c.arrive()
		}
	}
}

// take returns what there is, and keeps the memory of those before.
func (a *arrivals) take(before []*onWay) []*onWay {
	clear(before)
	a.mu.Lock()
	defer a.mu.Unlock()
	some := a.copies
	a.copies = before[:0]
	a.acking = len(some) > 0
	return some
}
