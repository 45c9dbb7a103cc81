package consumer

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// A message that kills its process comes back with a higher x-delivery-count, and so do its innocent
// neighbours that were only taken ahead: in the main queue the count proves nothing. So a message that
// came back twice is set aside, by a copy in the quarantine queue, to which nobody subscribes. The guard
// takes it from there with basic.get when nothing else runs, and a worker handles it alone. There the
// count is how often its process died over it, or its connection was lost.

// guard is a session's: its goroutine looks into the quarantine queue, and lets one message after the other be
// handled alone. It runs no handler.
type guard struct {
	c    *Consumer         // immutable
	link transport.Session // immutable

	taking context.Context // ends when no further message is to be taken
	finish context.CancelFunc
	over   context.Context // ends when the session is over
	abort  context.CancelFunc
	fell   signal // set when a message was settled

	// Only the guard's goroutine uses these. It waits for the answer to each request on the channel, whatever
	// ends meanwhile: closing the channel is a request, too.
	from  *channel      // nil while none is open
	rest  time.Duration // until the next look
	blind bool          // we may not look
}

// lookEvery is how often a guard looks for what other processes have set aside and left.
const lookEvery = 10 * time.Second

// hearEvery is how often a guard that waits for the token looks whether it has something to say.
const hearEvery = 3 * time.Second

func newGuard(c *Consumer, link transport.Session) *guard {
	g := &guard{c: c, link: link, fell: newSignal()}
	g.over, g.abort = context.WithCancel(c.stages.hard)
	g.taking, g.finish = context.WithCancel(g.over)
	return g
}

// run is the guard's goroutine.
func (g *guard) run() {
	defer g.end()
	for g.wait() {
		if !g.waiting() {
			g.rest = lookEvery
			continue
		}
		if !g.alone() { // the connection's token, then the gate, then a free slot
			continue
		}
		handed := g.handle(g.get())
		g.c.openGate() // one closing, one message
		if !handed {
			g.token().Release()
		}
	}
}

// token keeps the guards of one Connection apart.
func (g *guard) token() transport.Token { return g.c.conn.Shared().Alone }

// stop ends the guard. With abort it leaves the message in hand to the broker, else it waits until that
// is settled.
func (g *guard) stop(abort bool) {
	if abort {
		g.abort()
	}
	g.finish()
}

// wait waits until it is time to look: at once for the first time, then after a hint that something was set
// aside, or ten seconds.
func (g *guard) wait() bool {
	if g.rest <= 0 {
		return g.taking.Err() == nil
	}
	timer := time.NewTimer(g.rest)
	defer timer.Stop()
	select {
	case <-g.c.settler.asides:
	case <-timer.C:
	case <-g.taking.Done():
		return false
	}
	return true
}

// waiting says whether there may be messages in the quarantine queue. A queue that is missing is empty. Who may
// not look gets without looking, when that holds up nobody.
func (g *guard) waiting() bool {
	if w := g.c.control.get(); w.prefetch() == 0 || !g.open() {
		return false
	}
	from, messages := g.from, make(chan int, 1)
	err := g.link.Do(context.Background(), "look into quarantine", func() error {
		found, err := from.QueueDeclarePassive(g.c.rules.Quarantine.Queue, true, false, false, false, nil)
		messages <- found.Messages
		return err
	})
	var refused *amqp.Error
	switch {
	case err == nil:
		if <-messages > 0 {
			return true
		}
		g.close() // an idle consumer has one channel
		return false
	case errors.As(err, &refused) && refused.Code == amqp.AccessRefused:
		g.refused()
		g.blind = true
		return g.open()
	}
	g.refused()
	return false
}

// alone waits until the message that is taken next can be handled alone. It is false, and nothing is held,
// when the session ends, the consumer is to rest, or no slot is free.
func (g *guard) alone() bool {
	c := g.c
	if !g.acquire() {
		return false
	}
	c.gauges.alone.Store(true)
	patience := c.pool.gate.patience
	if g.blind { // there is hardly ever a message, and nobody is to wait for that
		patience = 0
	}
	ok := c.pool.gate.close(g.taking, patience)
	w, inside := c.control.get(), int(c.pool.gate.inside.Load())
	if ok && w.prefetch() > 0 && inside+w.stuck < w.slots && (!g.blind || inside == 0) {
		return true
	}
	c.openGate()
	g.token().Release()
	g.rest = time.Second
	return false
}

// acquire waits for the connection's token. Its holder may be a handler of ours whose session was lost: while we wait for
// it the message it has in hand may be taken for a killer, and we know better.
func (g *guard) acquire() bool {
	for {
		ctx, cancel := context.WithTimeout(g.taking, hearEvery)
		ok := g.token().Acquire(ctx)
		cancel()
		switch {
		case ok:
			return true
		case g.taking.Err() != nil || g.from.IsClosed():
			return false
		case g.c.gauges.lost.Load() > 0:
			g.hear()
		}
	}
}

// hear takes a message from quarantine, and says what this process knows of it.
func (g *guard) hear() {
	d := g.get()
	if d == nil {
		return
	}
	d.solo = newSolo(func() {})
	now := time.Now()
	g.c.settler.settle(g.over, d, decide.Hear(&g.c.rules, &d.facts, g.c.given(d, now)), now)
	select {
	case <-d.solo.gate:
	case <-g.over.Done():
	}
}

// get is basic.get on the quarantine queue; nil if there is no message.
func (g *guard) get() *received {
	type answer struct {
		raw amqp.Delivery
		ok  bool
	}
	from, got := g.from, make(chan answer, 1)
	err := g.link.Do(context.Background(), "take a message from quarantine", func() error {
		raw, ok, err := from.Get(g.c.rules.Quarantine.Queue, false)
		got <- answer{raw, ok}
		return err
	})
	if err != nil {
		g.refused()
		g.rest = lookEvery
		return nil
	}
	a := <-got
	if !a.ok {
		g.rest = lookEvery
		return nil
	}
	g.from.acks.Take(1)
	return g.c.decode(&a.raw, g.from)
}

// handle hands the message to a worker and waits until the gate may open. It is false if there is no message, or no
// worker has taken it. Else the token is the worker's to release, as its handler may outlive the session.
func (g *guard) handle(d *received) bool {
	if d == nil {
		return false
	}
	d.solo = newSolo(g.token().Release)
	g.rest = 0                                 // there may be another
	if at := d.facts.CrashedAt; !at.IsZero() { // it has its hearing: others are to meet it, too
		g.rest = min(lookEvery, max(time.Second, time.Until(at.Add(g.c.rules.Hearing))))
	}
	if !g.c.pool.handNow(g.over, d) {
		return false
	}
	select {
	case <-d.solo.gate:
	case <-g.over.Done():
	}
	return true
}

// end waits until the message in hand is settled, unless the session is over, and closes the channel.
func (g *guard) end() {
	for g.from != nil && g.from.acks.Unsettled() > 0 && g.over.Err() == nil && g.link.Err() == nil && !g.from.IsClosed() {
		select {
		case <-g.fell:
		case <-g.over.Done():
		case <-g.link.Done():
		}
	}
	g.close()
	g.abort()
}

// open opens the guard's channel, if it has none.
func (g *guard) open() bool {
	if g.from != nil && !g.from.IsClosed() {
		return true
	}
	g.close()
	from, err := g.c.openChannel(g.taking, g.link, g.fell.set)
	if err != nil {
		return false // the session's own end says why
	}
	g.from = from
	return true
}

// refused follows a request over which the broker may have closed the channel. If no message was in hand, none has
// come back by that, and this process has survived nothing.
func (g *guard) refused() {
	if g.from.acks.Unsettled() > 0 {
		g.close()
		return
	}
	_, _ = g.from.close("close the guard's channel") // the request has failed, and that says enough
	g.from = nil
}

// close closes the channel, unless a message on it is not settled.
func (g *guard) close() {
	if g.from == nil {
		return
	}
	if !g.from.IsClosed() && g.from.acks.Unsettled() > 0 && g.over.Err() == nil {
		return
	}
	if g.from.IsClosed() && g.link.Err() == nil {
		g.c.gauges.lost.Add(1) // the broker closed it, and counts a delivery; the session goes on
	}
	if _, err := g.from.close("close the guard's channel"); err != nil {
		g.c.log.Info("close the guard's channel", "err", err)
	}
	g.from = nil
}
