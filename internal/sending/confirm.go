package sending

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// confirmed is one confirm channel: this goroutine writes, another collects.
type confirmed struct {
	sender  *Pipeline
	ch      transport.Channel
	sent    chan *Message    // from the writer to the collector, in order
	returns chan amqp.Return // has room for every message in flight, so that the client drops none
	closed  chan *amqp.Error
	dead    chan struct{} // closed by the collector when the channel has ended

	opened time.Time
	nacked atomic.Bool        // a message on it was
	empty  chan chan struct{} // to the collector: close this when nothing is in flight

	returned []amqp.Return // not yet matched
	unknown  []*Message    // what the collector leaves: its fate is unknown
	cause    *amqp.Error   // why the channel ended, nil for our own close
	finished chan struct{} // closed when the collector has ended
}

// channel opens a confirm channel and sends on it until it ends: what is in s.again,
// then what comes from the queue; or only the one message. It returns the messages
// whose fate is unknown, in order, and what the broker said at the end.
func (s *Pipeline) channel(session transport.Session, only *Message) ([]*Message, *amqp.Error, error) {
	ch, err := session.Channel(s.ctx)
	if err == nil {
		err = session.Do(s.ctx, "confirm.select", func() error { return ch.Confirm(false) })
	}
	if err != nil {
		return justOne(only), nil, err
	}
	c := &confirmed{
		sender: s, ch: ch,
		sent: make(chan *Message, s.window), dead: make(chan struct{}), finished: make(chan struct{}),
		opened: time.Now(), empty: make(chan chan struct{}),
		returns: ch.NotifyReturn(make(chan amqp.Return, s.window+1)),
		closed:  ch.NotifyClose(make(chan *amqp.Error, 1)),
	}
	go c.collect()
	var stuck *Message
	if only != nil {
		stuck = c.writeOne(session, only)
	} else {
		stuck = c.writeAll(session)
	}
	close(c.sent)
	if !ch.IsClosed() {
		// With a context of its own: a Stop that is out of time must not leave the channel open.
		_ = session.Do(context.Background(), "close the publishing channel", ch.Close)
	}
	<-c.finished
	return append(c.unknown, justOne(stuck)...), c.cause, nil
}

// writeAll writes until the channel or the pipeline ends, and returns a message that it took
// and could not write.
func (c *confirmed) writeAll(session transport.Session) (stuck *Message) {
	s := c.sender
	for {
		var m *Message
		if len(s.again) > 0 {
			m, s.again = s.again[0], s.again[1:]
		} else {
			select {
			case m = <-s.queue:
			case <-c.dead:
				return nil
			case <-s.ctx.Done():
				return nil
			}
		}
		if c.wornOut() || !c.write(session, m) {
			return m
		}
	}
}

// A quorum queue of RabbitMQ 3.10 that was full, and whose length limit was then taken away, goes on nacking
// what comes on channels that it has nacked before, for ever. So a channel with a nack is replaced after a while, between two
// messages, if nothing is in flight then: messages whose fate is unknown would have to be sent twice.
const (
	wornAfter = 5 * time.Second
	quietFor  = 500 * time.Millisecond // the longest that others may be held up by it
)

// wornOut says whether the channel is to be replaced by a new one.
func (c *confirmed) wornOut() bool {
	if !c.nacked.Load() || time.Since(c.opened) < wornAfter {
		return false
	}
	timer := time.NewTimer(quietFor)
	defer timer.Stop()
	quiet := make(chan struct{})
	select {
	case c.empty <- quiet:
	case <-c.dead:
		return true
	}
	select {
	case <-quiet:
		return true
	case <-c.dead:
		return true
	case <-timer.C:
		c.opened = time.Now() // not now, then
		return false
	}
}

// guilty is how long a message that is sent alone may take to close its channel. The broker
// looks at a message as it comes, so what is not refused by then has no fault; its confirm may take longer,
// and nobody is to wait for that.
const guilty = 2 * time.Second

// writeOne writes m and waits until it is confirmed or found guilty.
func (c *confirmed) writeOne(session transport.Session, m *Message) (stuck *Message) {
	if !c.write(session, m) {
		return m
	}
	timer := time.NewTimer(guilty)
	defer timer.Stop()
	select {
	case <-m.done:
	case <-c.dead:
	case <-timer.C:
	case <-c.sender.ctx.Done():
	}
	return nil
}

// write is false when the channel, or the pipeline, has ended.
func (c *confirmed) write(session transport.Session, m *Message) bool {
	for { // A blocked connection takes no bytes; who waits here is known not to have been sent.
		_, blocked, change := session.Blocked()
		if !blocked {
			break
		}
		select {
		case <-change:
		case <-c.dead:
			return false
		case <-c.sender.ctx.Done():
			return false
		}
	}
	select {
	case <-c.dead:
		return false
	default:
	}
	if !m.write() {
		c.sender.leave(m, nil) // its caller has gone, and has been told
		return true
	}
	dc, err := c.ch.Publish(m.env.Exchange, m.env.RoutingKey, !m.env.NotMandatory, m.env.Publishing)
	if err != nil {
		return false // the channel is closed, or the socket failed under it
	}
	m.dc = dc
	c.sent <- m
	return true
}

// slow is how often the collector looks at messages that are not the oldest. Without it a queue
// that does not confirm, such as one that lost its majority, would hold up everybody's
// confirms on the channel.
const slow = 20 * time.Millisecond

// collect settles messages as their confirms arrive, until the channel ends.
func (c *confirmed) collect() {
	defer close(c.finished)
	var flight []*Message // in the order of their delivery tags
	look := time.NewTimer(slow)
	defer look.Stop()
	looking := true // look is running; what happens meanwhile does not put it off
	sent := c.sent
	var quiet chan struct{} // the writer waits for it, and writes nothing meanwhile
	for {
		if quiet != nil && len(flight) == 0 && len(sent) == 0 {
			close(quiet)
			quiet = nil
		}
		var first <-chan struct{}
		if len(flight) > 0 {
			first = flight[0].dc.Done()
			if !looking {
				look.Reset(slow)
				looking = true
			}
		}
		select {
		case m, ok := <-sent:
			if !ok {
				sent = nil // the writer has ended, and the channel is about to
				continue
			}
			flight = append(flight, m)
		case <-first:
			n := 0
			for n < len(flight) && c.settle(flight[n]) {
				flight[n] = nil
				n++
			}
			flight = flight[n:]
			if n == 0 { // resolved by the end of the channel
				c.end(<-c.closed, flight)
				return
			}
		case quiet = <-c.empty:
		case <-look.C:
			looking = false
			flight = slices.DeleteFunc(flight, c.settle)
		case cause := <-c.closed:
			c.end(cause, flight)
			return
		}
	}
}

// end is the channel's: whatever was confirmed before is settled, the rest is unknown.
func (c *confirmed) end(cause *amqp.Error, flight []*Message) {
	c.cause = cause
	close(c.dead)
	for m := range c.sent {
		flight = append(flight, m)
	}
	for _, m := range flight {
		<-m.dc.Done() // the client resolves them all at the end of a channel
		if !c.settle(m) {
			c.unknown = append(c.unknown, m)
		}
	}
}

// settle ends a message if its fate is known.
func (c *confirmed) settle(m *Message) bool {
	select {
	case <-m.dc.Done():
	default:
		return false
	}
	acked := m.dc.Acked()
	if !acked && c.ch.IsClosed() {
		return false // not a nack: the client says the same of all at the end of a channel
	}
	switch r := c.returnOf(m); {
	case r != nil:
		err := fmt.Errorf("%w (%d %s)", ErrUnroutable, r.ReplyCode, r.ReplyText)
		if m.env.Exchange == "" {
			err = fmt.Errorf("there is no such queue: %w", err)
		}
		c.sender.leave(m, err)
	case acked:
		c.sender.leave(m, nil)
	default:
		c.nacked.Store(true)
		c.sender.leave(m, ErrNacked)
	}
	return true
}

// returnOf finds the return of a message that has been confirmed. The broker sends
// a return before its confirm, and the client hands both on in that order, so it is
// in the channel by now. Returns carry no delivery tag: of several equal
// messages in flight the one that is confirmed first takes it.
func (c *confirmed) returnOf(m *Message) *amqp.Return {
	for {
		select {
		case r, ok := <-c.returns:
			if ok {
				c.returned = append(c.returned, r)
				continue
			}
		default:
		}
		break
	}
	if m.env.NotMandatory {
		return nil // an equal one beside it may be, and the return is that one's
	}
	for i := range c.returned {
		r := &c.returned[i]
		if r.MessageId == m.env.MessageId && r.Exchange == m.env.Exchange && r.RoutingKey == m.env.RoutingKey && bytes.Equal(r.Body, m.env.Body) &&
			wire.Int(r.Headers[wire.RetryAttempts]) == wire.Int(m.env.Headers[wire.RetryAttempts]) { // two copies of one message may be on their way
			found := *r
			c.returned = append(c.returned[:i], c.returned[i+1:]...)
			return &found
		}
	}
	return nil
}

func justOne(m *Message) []*Message {
	if m == nil {
		return nil
	}
	return []*Message{m}
}

// asError keeps a nil *amqp.Error from becoming an error that is not nil.
func asError(e *amqp.Error) error {
	if e == nil {
		return nil
	}
	return errors.New(e.Error())
}
