package sending

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// flight is the life of one confirm channel, and what is in flight on it. Its carrier writes; a goroutine
// of its own, the collector, ends messages as their confirms arrive.
type flight struct {
	pipeline *Pipeline         // immutable
	session  transport.Session // immutable
	ch       transport.Channel // immutable

	sent     chan entry         // from the carrier to the collector, in the order of the tags
	empty    chan chan struct{} // to the collector: close this when nothing is in flight
	dead     chan struct{}      // closed by the collector when the channel has ended
	finished chan struct{}      // closed by the collector when it has ended
	closed   chan *amqp.Error   // the transport's
	nacked   atomic.Bool        // the collector has seen a nack

	// Only the carrier uses these.
	tag    uint64   // the last that was written
	torn   *Message // the channel ended while it was written, or before
	opened time.Time

	// Only the collector uses these before finished, and only the carrier afterwards.
	returns   returns
	looked    uint64      // the broker has looked at all up to this tag
	answers   int         // confirms so far
	unknown   []entry     // their fate is unknown, in the order of their tags
	elsewhere bool        // another lane carries some that are unknown here
	cause     *amqp.Error // why the channel ended, nil for our own close
	stall     *stall      // of a lane
}

// entry is a message on a channel.
type entry struct {
	m       *Message
	tag     uint64
	confirm transport.Confirmation
	moved   bool    // another lane carries the message
	left    account // of one that moved: its old place
}

// fly opens a confirm channel, for a lane or for an inquiry.
func (p *Pipeline) fly(ctx context.Context, session transport.Session, l *lane) (*flight, error) {
	ch, err := session.Channel(ctx)
	if err != nil {
		return nil, err
	}
	if err := session.Do(ctx, "confirm.select", func() error { return ch.Confirm(false) }); err != nil {
		return nil, err
	}
	f := &flight{
		pipeline: p, session: session, ch: ch,
		sent: make(chan entry, p.window), empty: make(chan chan struct{}), dead: make(chan struct{}), finished: make(chan struct{}),
		closed:  ch.NotifyClose(make(chan *amqp.Error, 1)),
		returns: returns{from: ch.NotifyReturn(make(chan amqp.Return, p.window+1))},
		opened:  time.Now(),
	}
	if l != nil {
		f.stall = &stall{lane: l}
	}
	go f.collect()
	return f, nil
}

// write is false when the channel has ended, or ctx. Then the message is torn, or was not written.
func (f *flight) write(ctx context.Context, m *Message) bool {
	for { // A blocked connection takes no bytes: what waits here is known not to have been sent.
		_, blocked, change := f.session.Blocked()
		if !blocked {
			break
		}
		select {
		case <-change:
		case <-f.dead:
			return false
		case <-ctx.Done():
			return false
		}
	}
	select {
	case <-f.dead:
		return false
	default:
	}
	if !m.claim() {
		f.pipeline.leave(m, nil) // its caller has gone, and has been told
		return true
	}
	confirm, err := f.ch.Publish(m.env.Exchange, m.env.RoutingKey, !m.env.NotMandatory, m.env.Publishing)
	if err != nil { // the channel is closed, or the socket failed under it
		f.torn = m
		return false
	}
	f.tag++
	f.sent <- entry{m: m, tag: f.tag, confirm: confirm}
	return true
}

// close closes the channel and waits for its collector. Then the carrier has what is unknown.
func (f *flight) close() {
	close(f.sent)
	if !f.ch.IsClosed() {
		// With a context of its own: a Stop that is out of time must not leave the channel open.
		_ = f.session.Do(context.Background(), "close the publishing channel", f.ch.Close)
	}
	<-f.finished
}

// settled waits until nothing is in flight, at most for d. It is false if something still is.
func (f *flight) settled(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	quiet := make(chan struct{})
	select {
	case f.empty <- quiet:
	case <-f.dead:
		return true
	}
	select {
	case <-quiet:
		return true
	case <-f.dead:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
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
func (f *flight) wornOut() bool {
	if !f.nacked.Load() || time.Since(f.opened) < wornAfter {
		return false
	}
	if f.settled(f.pipeline.ctx, quietFor) {
		return true
	}
	f.opened = time.Now() // not now, then
	return false
}

// lookEvery is how often the collector looks at messages that are not the oldest. Without it a queue that
// does not confirm, such as one that lost its majority, would hold up everybody's confirms on the channel.
const lookEvery = 20 * time.Millisecond

// collect settles messages as their confirms arrive, until the channel ends.
func (f *flight) collect() {
	defer close(f.finished)
	var all []entry // in the order of their tags
	look := time.NewTimer(lookEvery)
	defer look.Stop()
	looking := true // look is running; what happens meanwhile does not put it off
	sent := f.sent
	var quiet chan struct{} // the carrier waits for it, and writes nothing meanwhile
	for {
		if quiet != nil && len(all) == 0 && len(sent) == 0 {
			close(quiet)
			quiet = nil
		}
		var first <-chan struct{}
		if len(all) > 0 {
			first = all[0].confirm.Done()
			if !looking {
				look.Reset(lookEvery)
				looking = true
			}
		}
		select {
		case e, ok := <-sent:
			if !ok {
				sent = nil // the carrier has ended, and the channel is about to
				continue
			}
			all = append(all, e)
		case <-first:
			n := 0
			for n < len(all) && f.settle(all[n]) {
				all[n] = entry{}
				n++
			}
			all = all[n:]
			if n == 0 { // resolved by the end of the channel
				f.end(<-f.closed, all)
				return
			}
		case quiet = <-f.empty:
		case <-look.C:
			looking = false
			all = slices.DeleteFunc(all, f.settle)
			f.returns.receive()
			f.stall.look(f, all)
		case cause := <-f.closed:
			f.end(cause, all)
			return
		}
	}
}

// end is the channel's: whatever was confirmed before is settled, the rest is unknown.
func (f *flight) end(cause *amqp.Error, all []entry) {
	f.cause = cause
	close(f.dead)
	for e := range f.sent {
		all = append(all, e)
	}
	for _, e := range all {
		<-e.confirm.Done() // the client resolves them all at the end of a channel
		switch {
		case f.settle(e):
		case e.moved:
			e.vacate()
			f.elsewhere = true
		default:
			f.unknown = append(f.unknown, e)
		}
	}
}

// settle ends a message if its fate is known.
func (f *flight) settle(e entry) bool {
	select {
	case <-e.confirm.Done():
	default:
		return false
	}
	acked := e.confirm.Acked()
	if !acked && f.ch.IsClosed() {
		return false // not a nack: the client says the same of all at the end of a channel
	}
	f.looked = max(f.looked, e.tag)
	f.answers++
	var err error
	if r := f.returns.of(e.m); r != nil {
		err = unroutable(r)
	} else if !acked {
		f.nacked.Store(true)
		err = ErrNacked
	}
	switch {
	case !e.moved:
		f.pipeline.leave(e.m, err)
	case err == nil:
		e.m.end(nil) // whoever carries it now finds it ended
	}
	e.vacate()
	return true
}

// vacate gives back the old place of one that moved.
func (e *entry) vacate() {
	if e.left != nil {
		e.left.give()
	}
}

// suspects parts what is unknown into those of which one may be why the broker ended the channel, and those
// that have no fault: it looks at messages as they come, and has looked at later ones.
func (f *flight) suspects() (suspects, innocent []*Message) {
	ended := blamed(f.cause)
	for _, e := range f.unknown {
		if ended && e.tag > f.looked {
			suspects = append(suspects, e.m)
		} else {
			innocent = append(innocent, e.m)
		}
	}
	if f.torn != nil && ended {
		suspects = append(suspects, f.torn)
	} else if f.torn != nil {
		innocent = append(innocent, f.torn)
	}
	return suspects, innocent
}
