package sending

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/fifo"
)

// collector is the goroutine that ends a channel's messages. Nobody else uses its fields.
type collector struct {
	flight  *flight
	closed  chan *amqp.Error // the transport's
	returns returns
	stall   *stall // of a lane; nil in an inquiry

	all    fifo.Queue[entry] // in flight, in the order of their tags
	looked uint64            // the broker has looked at all up to this tag
	pushed uint64            // the last tag that it knows of
	quiet  chan struct{}     // the carrier waits for it, and writes nothing meanwhile
	gone   []*Message        // they have ended, and leave the pipeline together
}

// lookEvery is how often the collector looks at messages that are not the oldest. Without it a
// queue that does not confirm, such as one that lost its majority, would hold up everybody's
// confirms on the channel.
const lookEvery = 20 * time.Millisecond

// run settles messages as their confirms arrive, until the channel ends.
func (c *collector) run() {
	f := c.flight
	defer close(f.finished)
	look := time.NewTimer(lookEvery)
	defer look.Stop()
	looking := true // look is running; what happens meanwhile does not put it off
	ended := false  // the carrier has ended, and the channel is about to
	for {
		c.calm(len(f.sent))
		var first <-chan struct{}
		sent := f.sent
		if ended {
			sent = nil
		}
		if c.all.Len() > 0 {
			// What follows is not looked at before the first is confirmed, or a look is due. So the
			// carrier does not wake the collector for each message.
			sent, first = nil, c.all.Left()[0].confirm.Done()
			if !looking {
				look.Reset(lookEvery)
				looking = true
			}
		}
		select {
		case e, ok := <-sent:
			if ended = !ok; ok {
				c.push(e)
			}
		case <-first:
			if !c.settleFirst() { // resolved by the end of the channel
				c.end(<-c.closed)
				return
			}
		case c.quiet = <-f.empty:
		case taken := <-f.off:
			c.receive()
			taken <- c.takeOff()
		case <-look.C:
			looking = false
			c.look()
		case cause := <-c.closed:
			c.end(cause)
			return
		}
	}
}

func (c *collector) push(e entry) {
	c.all.Push(e)
	c.pushed = e.tag
}

// receive takes over what the carrier has written so far.
func (c *collector) receive() {
	for len(c.flight.sent) > 0 {
		c.push(<-c.flight.sent)
	}
}

// takeOff returns the messages in flight. Another carrier has them from now on.
func (c *collector) takeOff() (taken []*Message) {
	all := c.all.Left()
	for i := range all {
		if e := &all[i]; !e.moved {
			e.moved = true
			taken = append(taken, e.m)
		}
	}
	return taken
}

// calm tells the carrier that nothing is in flight, if it waits for that.
func (c *collector) calm(sent int) {
	if c.quiet != nil && c.all.Len() == 0 && sent == 0 {
		close(c.quiet)
		c.quiet = nil
	}
}

// settleFirst ends the oldest messages, as many as are confirmed. It is false if none is.
func (c *collector) settleFirst() bool {
	c.receive()
	defer c.leave()
	n := 0
	for c.all.Len() > 0 && c.settle(c.all.Left()[0]) {
		c.all.Pop()
		n++
	}
	return n > 0
}

func (c *collector) look() {
	c.receive()
	c.all.Drop(c.settle)
	c.leave()
	c.returns.receive()
	c.stall.look(c)
}

// end is the channel's: whatever was confirmed before is settled, the rest is unknown.
func (c *collector) end(cause *amqp.Error) {
	f := c.flight
	close(f.dead)
	for e := range f.sent {
		c.all.Push(e)
	}
	o := outcome{cause: cause}
	for _, e := range c.all.Left() {
		<-e.confirm.Done() // the transport resolves them all at the end of a channel
		switch {
		case c.settle(e):
		case e.moved:
			o.elsewhere = true
		default:
			o.unknown = append(o.unknown, e)
		}
	}
	c.leave()
	o.looked = c.looked
	f.outcome = o
}

// leave lets those leave that have ended.
func (c *collector) leave() {
	if len(c.gone) > 0 {
		c.flight.pipeline.left(c.gone...)
		clear(c.gone)
		c.gone = c.gone[:0]
	}
}

// settle ends a message if its fate is known.
func (c *collector) settle(e entry) bool {
	select {
	case <-e.confirm.Done():
	default:
		return false
	}
	f := c.flight
	acked := e.confirm.Acked()
	if !acked && f.ch.IsClosed() {
		return false // not a nack: the client says the same of all at the end of a channel
	}
	c.looked = max(c.looked, e.tag)
	f.answered(c.pushed)
	if acked {
		f.proven.Store(true)
	}
	if acked && !e.moved {
		f.pipeline.router.confirmed(e.m.key())
	}
	var err error
	if r := c.returns.of(e.m); r != nil {
		err = unroutable(r)
	} else if !acked {
		f.nacked.Store(true)
		err = ErrNacked
	}
	switch {
	case !e.moved:
		e.m.end(err)
		c.gone = append(c.gone, e.m)
	case err == nil:
		e.m.end(nil) // whoever carries it now finds it ended
	}
	return true
}
