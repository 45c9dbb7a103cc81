package sending

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// flight is the life of one confirm channel. Its carrier, a lane or an inquiry, writes; its
// collector ends messages as their confirms arrive.
type flight struct {
	pipeline *Pipeline         // immutable
	session  transport.Session // immutable
	ch       transport.Channel // immutable
	frame    int               // immutable: the largest frame that the broker takes, in bytes

	orders
	dead     chan struct{} // closed by the collector when the channel has ended
	finished chan struct{} // closed by the collector when it has ended

	ahead
	question question

	// The collector writes these.
	nacked atomic.Bool // it has seen a nack
	held   atomic.Bool // the broker takes nothing on the channel

	// Only the carrier uses these.
	tag  uint64   // the last that was written
	torn *Message // the channel ended while it was written, or before
	wear wear
	scratch

	outcome outcome // set by the collector, and read by the carrier after finished
}

// wear is what a carrier knows of when its channel was or may be replaced.
type wear struct {
	opened time.Time // or when a replacement was last put off
	heldUp time.Time // when it last waited for the end of a retired session

	retired <-chan struct{} // immutable: closed when another session has taken the place of its own
}

// orders are what the collector gets from others.
type orders struct {
	sent  chan entry           // by the carrier, in the order of the tags
	empty chan chan struct{}   // close this when nothing is in flight
	off   chan chan []*Message // another carrier gets what is in flight
}

// outcome is what a channel leaves when it ends.
type outcome struct {
	unknown   []entry     // in the order of their tags
	looked    uint64      // the broker has looked at all up to this tag
	elsewhere bool        // another lane carries some that are unknown here
	cause     *amqp.Error // why the channel ended, nil for our own close
}

// entry is a message on a channel.
type entry struct {
	m       *Message
	tag     uint64
	confirm transport.Confirmation
	moved   bool // another lane carries the message
}

// fly opens a confirm channel, for a lane or, if that is nil, for an inquiry.
func (p *Pipeline) fly(ctx context.Context, session transport.Session, l *lane) (*flight, error) {
	ch, err := session.Channel(ctx)
	if err != nil {
		return nil, err
	}
	if err := session.Do(ctx, "confirm.select", func() error { return ch.Confirm(false) }); err != nil {
		return nil, err
	}
	f := &flight{
		pipeline: p, session: session, ch: ch, frame: session.Peer().FrameMax, wear: wear{opened: time.Now(), retired: session.Retired().Done()},
		orders: orders{empty: make(chan chan struct{}), off: make(chan chan []*Message)},
		dead:   make(chan struct{}), finished: make(chan struct{}), ahead: ahead{more: make(chan struct{}, 1)},
	}
	room := p.window + p.window/2
	if l != nil && p.router.isOwn(l) {
		f.own.Store(true)
		room = ownAhead
	}
	f.sent = make(chan entry, room)
	c := &collector{
		flight: f, closed: ch.NotifyClose(make(chan *amqp.Error, 1)),
		returns: returns{from: ch.NotifyReturn(make(chan amqp.Return, room+1))},
	}
	if l != nil {
		c.stall = &stall{lane: l}
	}
	go c.run()
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
	if err := f.fits(m); err != nil {
		f.pipeline.leave(m, err)
		return true
	}
	msg := m.claim(&f.scratch)
	if msg == nil {
		f.pipeline.leave(m, nil) // its caller has gone, and has been told
		return true
	}
	confirm, err := f.ch.Publish(m.env.Exchange, m.env.RoutingKey, !m.env.NotMandatory, *msg)
	f.scratch.release()
	if err != nil { // the channel is closed, or the socket failed under it
		f.torn = m
		return false
	}
	f.tag++
	f.sent <- entry{m: m, tag: f.tag, confirm: confirm}
	return true
}

// fits returns why a message cannot be written: a broker closes the connection (501) over a content
// header that is larger than its frame_max. Most brokers have the default one, for which every
// message was checked when it was made.
func (f *flight) fits(m *Message) error {
	limit := wire.Fits(f.frame)
	if limit >= wire.MaxProperties {
		return nil
	}
	size := m.env.PropertiesSize()
	if size <= limit {
		return nil
	}
	var err error = &TooLargeError{Size: size, Limit: limit, Frame: f.frame}
	if m.Written() { // on an earlier session, to a broker that took larger frames
		err = fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return err
}

// close closes the channel and waits for its collector. Then the carrier has what is unknown.
func (f *flight) close() {
	close(f.sent)
	f.question.last()
	switch {
	case f.ch.IsClosed():
	case f.tag != f.answers.Load():
		// The channel may be held, and must not end the session of others by being late.
		_ = f.ch.Close()
	default:
		// With a context of its own: a Stop that is out of time must not leave the channel open.
		_ = f.session.Do(context.Background(), "close the publishing channel", f.ch.Close)
	}
	<-f.finished
}

// takeOff returns what is in flight, for another carrier. Nothing is if the channel has ended.
func (f *flight) takeOff() []*Message {
	taken := make(chan []*Message, 1)
	select {
	case f.off <- taken:
		return <-taken
	case <-f.dead:
		return nil
	}
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

// A quorum queue of RabbitMQ 3.10 that was full, and whose length limit was then taken away, goes
// on nacking what comes on channels that it has nacked before, for ever. So a channel with a nack
// is replaced after a while, between two messages, if nothing is in flight then: messages whose
// fate is unknown would have to be sent twice.
const (
	wornAfter = 5 * time.Second
	quietFor  = 500 * time.Millisecond // the longest that others may be held up by it
)

// wornOut says whether the channel is to be replaced by a new one, also because another session has
// taken the place of its own.
func (f *flight) wornOut() bool {
	if isClosed(f.wear.retired) {
		if time.Since(f.wear.heldUp) < wornAfter {
			return false
		}
		f.wear.heldUp = time.Now()
		return f.settled(f.pipeline.ctx, quietFor)
	}
	if !f.nacked.Load() || time.Since(f.wear.opened) < wornAfter {
		return false
	}
	if f.settled(f.pipeline.ctx, quietFor) {
		return true
	}
	f.wear.opened = time.Now() // not now, then
	return false
}

// suspects parts what is unknown into those of which one may be why the broker ended the channel,
// and those that have no fault: it looks at messages as they come, and has looked at later ones.
func (f *flight) suspects() (suspects, innocent []*Message) {
	ended := blamed(f.outcome.cause)
	for _, e := range f.outcome.unknown {
		if ended && e.tag > f.outcome.looked {
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
