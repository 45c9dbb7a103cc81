package consumer

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// A message that kills its process comes back with a higher x-delivery-count. So do its innocent
// neighbours that were only taken ahead, so in the main queue the count proves nothing. A message
// that was returned twice is therefore set aside: its copy goes to the quarantine queue, to which
// nobody subscribes. The guard takes it from there with basic.get, and a worker handles it while no
// other handler of the consumer runs. In quarantine the count says how often the process died, or
// the connection was lost, over this message alone.

// guard belongs to a session. Its goroutine looks into the quarantine queue and has one message
// after the other handled alone. Workers run the handlers.
type guard struct {
	// Immutable.
	c      *Consumer
	link   transport.Session
	taking context.Context // ends when no further message is to be taken
	finish context.CancelFunc
	over   context.Context // ends when the session is over
	abort  context.CancelFunc
	fell   signal // wakes the guard at its end: a message of its channel was settled

	// Only the guard's goroutine uses these, and look before that has started. It waits for the
	// answer to each request on the channel even if the session ends meanwhile, because two
	// requests at once may swap their replies (see transport), and the close of the channel is one.
	from  *channel      // nil while none is open
	rest  time.Duration // until the next look
	found bool          // the last look found that there may be messages
	blind bool          // the broker does not let this user look
	told  bool          // it was logged why no messages can be taken
	took  []string      // return keys of messages that the channel may hold; the ack of the last one may be lost
}

// lookEvery is how often a guard looks for messages that other processes have set aside and left.
const lookEvery = 10 * time.Second

// hearEvery is how often a guard that waits for the token looks whether it can clear a message that
// has its hearing.
const hearEvery = 3 * time.Second

func newGuard(c *Consumer, link transport.Session) *guard {
	g := &guard{c: c, link: link, fell: newSignal()}
	g.over, g.abort = context.WithCancel(c.stages.hard)
	g.taking, g.finish = context.WithCancel(g.over)
	return g
}

// look is the first look. The session calls it before it subscribes: later the answer waits behind
// all that is delivered.
func (g *guard) look() { g.found = g.waiting() }

// run is the guard's goroutine.
func (g *guard) run() {
	defer g.end()
	for {
		switch {
		case !g.found:
			g.rest = lookEvery
		case g.alone(): // the Connection's token, then the gate, then a free slot
			handed := g.handle(g.get())
			g.c.openGate() // one closing is for one message
			if !handed {
				g.token().Release()
			}
		}
		if !g.wait() {
			return
		}
		g.found = g.waiting()
	}
}

// token returns the token of the Connection. Its holder alone has a message handled alone.
func (g *guard) token() transport.Token { return g.c.conn.Shared().Alone }

// stop ends the guard. With abort the guard leaves the message in hand to the broker. Otherwise its
// goroutine ends when that message is settled. stop does not wait.
func (g *guard) stop(abort bool) {
	if abort {
		g.abort()
	}
	g.finish()
}

// wait waits until it is time to look: when rest has passed, or something was set aside. It returns
// false when no further message is to be taken.
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

// waiting returns whether there may be messages in the quarantine queue. A queue that is missing
// counts as empty, and a guard that is full does not look. If the broker does not let the user
// look, waiting returns true: alone then takes care that to get without a look holds up no handler.
func (g *guard) waiting() bool {
	if w := g.c.control.get(); w.prefetch() == 0 || !g.open() || g.isFull() {
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
		g.proven()
		g.blind = false
		if <-messages > 0 {
			return true
		}
		g.close() // an idle guard has no channel, so an idle consumer has one
		return false
	case errors.As(err, &refused) && refused.Code == amqp.AccessRefused:
		g.refused(nil)
		g.blind = true
		return g.open()
	}
	g.refused(nil)
	return false
}

// proven follows an answer of the broker: it has taken the acks that were sent before the request.
func (g *guard) proven() {
	if g.from.acks.Unsettled() == 0 {
		g.took = nil
	}
}

// isFull returns whether as many messages from quarantine are unsettled as may be: one for each
// slot. Their copies are blocked. More of them would take the places of other messages' copies.
func (g *guard) isFull() bool { return g.from.acks.Unsettled() >= g.c.spec.Concurrency }

// alone takes the token, closes the gate and waits until the next message can be handled alone. It
// returns false, with the gate open and the token free, when the session ends, the consumer is to
// take nothing, or no slot is free.
func (g *guard) alone() bool {
	c := g.c
	if !g.acquire() {
		return false
	}
	c.gauges.alone.Store(true)
	patience := c.pool.gate.patience
	if g.blind { // most often there is no message, so handlers must not wait for this
		patience = 0
	}
	ok := c.pool.gate.close(g.taking, patience)
	w, inside := c.control.get(), int(c.pool.gate.inside.Load())
	free := int(c.gauges.running.Load()) < w.limit()
	if ok && w.prefetch() > 0 && free && (!g.blind || inside == 0) {
		return true
	}
	c.openGate()
	g.token().Release()
	g.rest = time.Second
	return false
}

// acquire waits for the token. A handler of this process may hold it whose session was lost: its
// message is in quarantine again, and another process may take it for a killer. So while the guard
// waits it looks for messages of which this process knows better. acquire returns false when the
// session ends or the guard's channel has ended.
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
		case g.c.gauges.survived.any(time.Now()) && !g.isFull():
			if g.hear(); g.from == nil { // the broker has closed the channel over it
				return false
			}
		}
	}
}

// hear takes one message from quarantine, and puts it back with what this process knows of it.
func (g *guard) hear() {
	d := g.get()
	if d == nil {
		return
	}
	d.solo = newSolo(func() {})
	now := time.Now()
	s, cleared := decide.Hear(&g.c.rules, &d.facts, g.c.given(d, now))
	if cleared {
		g.c.gauges.survived.cleared(returnKey(&d.facts.Raw))
	}
	g.c.settler.settle(g.over, d, s, now)
	select {
	case <-d.solo.gate:
	case <-g.over.Done():
	}
}

// get takes a message from the quarantine queue with basic.get. It returns nil if there is none or
// the broker refuses.
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
		if !permanent(err) { // the broker may have delivered a message
			g.c.gauges.survived.get(time.Now())
		}
		g.refused(err)
		g.rest = lookEvery
		return nil
	}
	a := <-got
	if !a.ok {
		g.rest = lookEvery
		return nil
	}
	g.proven()
	g.took = append(g.took, returnKey(&a.raw))
	g.from.acks.Take(1)
	return g.c.decode(&a.raw, g.from)
}

// handle hands the message to a worker and waits until the gate may open. It returns false if d is
// nil or no worker has taken it. Otherwise the worker releases the token, because the handler may
// outlive the session.
func (g *guard) handle(d *received) bool {
	if d == nil {
		return false
	}
	d.solo = newSolo(g.token().Release)
	g.rest = 0                                   // another message may be there
	if at := d.facts.CrashedAt(); !at.IsZero() { // its hearing: other processes are to meet it too
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
