package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// A pass reads a queue from its head, and holds what it has read until its end, when all that was not acked goes back in its
// order. If its process dies before, the broker takes everything back.
//
// The client library buffers without bound what a subscription brings, so a pass takes a window at a time: it subscribes with a
// prefetch of that size, takes so many, and cancels, which leaves them with the channel. A queue that gets a channel's messages back
// sorts them by the tag of their subscription and puts them in front, if the channel had no more than 32 of them; beyond
// that the order is lost. (So it is in RabbitMQ 3.10 and 4.0 for quorum queues; classic ones keep each message's place anyway.)
// basic.nack would lose the order as well. So tags sort as text, a channel has few of them, a pass uses one channel after the other, and
// closes them in that order, each when the queue has what the one before it held.
//
// A quorum queue puts what it gets back behind what it got back earlier, and all that before what was never delivered. So a pass that
// ends early first reads on until it meets a message that was never delivered: else it would put the queue's head behind others.
type pass struct {
	queue   *Queue
	session transport.Session
	chunks  []*chunk
	of      int // that were there at the beginning, -1 if unknown
	left    int // that are to be read
	read    int
	acked   int
	size    int // of the next window
	pending []amqp.Delivery
	again   bool // the last message that came has been delivered before: there may be more of these
	worn    bool // one must not be delivered more often
	began   time.Time
	unlock  func()
}

// chunk is one channel of a pass, with what it holds.
type chunk struct {
	ch     transport.Channel
	closed chan *amqp.Error
	tags   int
	held   int
}

const (
	tagsPerChunk = 24 // below 32, see pass
	firstWindow  = 16 // until it is known how large messages are
	silence      = time.Second
	patience     = 30 // silences while the queue says that it has messages
)

// begin waits for its turn and starts a pass over what is in the queue now, or over most messages, if that is not negative. A
// connection that is just being lost is waited for.
func (q *Queue) begin(ctx context.Context, most int) (*pass, error) {
	for tries := 0; ; tries++ {
		session, err := q.link.Session(ctx)
		if err != nil {
			return nil, err
		}
		p, err := q.start(ctx, session, most)
		if err == nil || tries == 3 || !isOver(session, err) {
			return p, err
		}
	}
}

func (q *Queue) start(ctx context.Context, session transport.Session, most int) (*pass, error) {
	if q.maxDeliveries() == 0 {
		return nil, fmt.Errorf("the queue has a limit of %d: %w: set MaxDeliveries to read it all the same", q.limit, ErrDeliveryLimit)
	}
	unlock, err := q.lock(ctx, session)
	if err != nil {
		return nil, err
	}
	n, err := count(ctx, session, q.name)
	left := n
	switch {
	case errors.Is(err, errNotFound):
		err = ErrNoQueue
	case errors.Is(err, errNotAllowed):
		left, err = math.MaxInt32, nil // until it is silent
	}
	if err != nil {
		unlock()
		return nil, err
	}
	if most >= 0 {
		left = min(left, most)
	}
	size := min(firstWindow, q.cfg.Window)
	if q.maxDeliveries() <= strangerLimit {
		size = 1 // the first shows how often they have been delivered; the others are not to be, if it was too often
	}
	return &pass{queue: q, session: session, of: n, left: left, size: size, began: time.Now(), unlock: unlock}, nil
}

// next is the next message, false at the end. It belongs to the caller until the pass ends; to get rid of it
// for good is an ack with settle.
func (p *pass) next(ctx context.Context) (*held, bool, error) {
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	if len(p.pending) == 0 {
		if err := p.fill(ctx); err != nil {
			return nil, false, err
		}
		if len(p.pending) == 0 {
			return nil, false, nil
		}
	}
	d := &held{Delivery: p.pending[0], chunk: p.chunks[len(p.chunks)-1]}
	p.pending[0] = amqp.Delivery{} // its body is the caller's to keep
	p.pending = p.pending[1:]
	p.read++
	d.message = p.queue.read(&d.Delivery, p.read)
	if d.message.Deliveries >= p.queue.maxDeliveries() {
		p.worn = true
		return nil, false, fmt.Errorf("message %q at position %d has been delivered %d times: %w: give the queue a policy with a high delivery-limit, and set MaxDeliveries below that",
			d.message.ID, p.read, d.message.Deliveries, ErrDeliveryLimit)
	}
	return d, true, nil
}

// held is a message that a pass holds.
type held struct {
	amqp.Delivery
	chunk   *chunk
	message Message
}

// overdue says whether the pass has held messages for as long as it may.
func (p *pass) overdue() bool { return time.Since(p.began) >= p.queue.cfg.HoldFor }

// fill reads a window.
func (p *pass) fill(ctx context.Context) error {
	n := min(p.size, p.left)
	if n == 0 {
		return nil
	}
	c, err := p.chunk(ctx)
	if err != nil {
		return err
	}
	c.tags++
	tag := fmt.Sprintf("errors-%02d", c.tags)
	subscribed := make(chan (<-chan amqp.Delivery), 1)
	err = p.session.Do(ctx, "subscribe", func() error {
		if err := c.ch.Qos(n, 0, false); err != nil {
			return err
		}
		deliveries, err := c.ch.Consume(p.queue.name, tag, false, false, false, false, nil)
		subscribed <- deliveries
		return err
	})
	if err != nil {
		return p.because(err)
	}
	deliveries := <-subscribed
	window, err := p.take(ctx, c, deliveries, n)
	if err == nil {
		err = p.cancel(ctx, c, tag, deliveries, &window)
	}
	if err != nil {
		return p.because(err)
	}
	if len(window) < n {
		p.left = 0 // there is no more
	} else {
		p.left -= n
	}
	p.pending = window
	if len(window) > 0 {
		p.again = wire.Int(window[len(window)-1].Headers[wire.DeliveryCount]) > 0
	}
	p.resize(window)
	return nil
}

// take collects up to n deliveries. Fewer are there if the queue has no more: then it is silent, and says so when asked.
func (p *pass) take(ctx context.Context, c *chunk, deliveries <-chan amqp.Delivery, n int) ([]amqp.Delivery, error) {
	window := make([]amqp.Delivery, 0, n)
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	empty, silent := 0, 0
	for len(window) < n {
		select {
		case d, ok := <-deliveries:
			if !ok {
				if _, err := count(ctx, p.session, p.queue.name); errors.Is(err, errNotFound) {
					return nil, ErrNoQueue // deleted under us
				}
				return nil, amqp.ErrClosed
			}
			window = append(window, d)
			c.held++
			empty, silent = 0, 0
			quiet.Reset(silence)
		case <-quiet.C:
			ready, err := count(ctx, p.session, p.queue.name)
			if err != nil && !errors.Is(err, errNotAllowed) {
				return nil, err
			}
			if ready <= 0 {
				empty++
			} else {
				silent++
			}
			if empty == 2 {
				return window, nil
			}
			if silent == patience {
				return nil, ErrSilent
			}
			quiet.Reset(silence)
		case e := <-c.closed:
			if e != nil {
				return nil, e
			}
			return nil, amqp.ErrClosed
		case <-p.session.Done():
			return nil, p.session.Err()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return window, nil
}

// cancel ends a subscription and adds what has come meanwhile to its window.
func (p *pass) cancel(ctx context.Context, c *chunk, tag string, deliveries <-chan amqp.Delivery, window *[]amqp.Delivery) error {
	late := make(chan []amqp.Delivery, 1)
	go func() { // Cancel waits for the client to hand over what it has
		var all []amqp.Delivery
		for d := range deliveries {
			all = append(all, d)
		}
		late <- all
	}()
	if err := p.session.Do(ctx, "cancel a subscription", func() error { return c.ch.Cancel(tag, false) }); err != nil {
		return err
	}
	more := <-late
	c.held += len(more)
	*window = append(*window, more...)
	return nil
}

// chunk is the channel for the next window.
func (p *pass) chunk(ctx context.Context) (*chunk, error) {
	if n := len(p.chunks); n > 0 && p.chunks[n-1].tags < tagsPerChunk {
		return p.chunks[n-1], nil
	}
	ch, err := p.session.Channel(ctx)
	if err != nil {
		return nil, p.because(err)
	}
	c := &chunk{ch: ch, closed: ch.NotifyClose(make(chan *amqp.Error, 1))}
	p.chunks = append(p.chunks, c)
	return c, nil
}

// resize chooses the next window by how large messages are.
func (p *pass) resize(window []amqp.Delivery) {
	bytes := 0
	for _, d := range window {
		bytes += len(d.Body)
	}
	switch {
	case bytes > maxHeldInMemory:
		p.size = max(1, p.size/2)
	case bytes < maxHeldInMemory/4:
		p.size = min(p.size*2, p.queue.cfg.Window)
	}
}

// because adds why the session ended, if it did: a channel only knows that it is closed.
func (p *pass) because(err error) error {
	if !isOver(p.session, err) {
		return err
	}
	ended := p.session.Err()
	if errors.Is(ended, transport.ErrUnreadable) {
		return fmt.Errorf("a message behind position %d, which only the broker's own tools can take away (those in front of it can be moved with a Limit): %w", p.read, ended)
	}
	return errors.Join(err, ended)
}

// isOver says whether an error came from the end of the session, which may take a moment to be known.
func isOver(session transport.Session, err error) bool {
	if session.Err() != nil {
		return true
	}
	if !isLoss(err) {
		return false
	}
	select {
	case <-session.Done():
		return true
	case <-time.After(time.Second):
		return false
	}
}

// isLoss says whether an error looks like that of a connection that was lost.
func isLoss(err error) bool {
	var closed *amqp.Error
	var socket net.Error
	switch {
	case errors.Is(err, transport.ErrUnreadable):
		return false
	case errors.As(err, &closed):
		return !closed.Server // the broker's own words are about a channel
	case errors.As(err, &socket):
		return !errors.Is(err, context.DeadlineExceeded) // which is one
	}
	return errors.Is(err, transport.ErrNoReply) || errors.Is(err, io.EOF)
}

// settle acks messages, and returns when the broker has taken that. They are in the order in which they were read.
func (p *pass) settle(ctx context.Context, all []*held) error {
	for len(all) > 0 {
		c, n := all[0].chunk, 0
		for ; n < len(all) && all[n].chunk == c; n++ {
			if err := c.ch.Ack(all[n].DeliveryTag, false); err != nil {
				return p.because(err)
			}
		}
		if err := p.answered(ctx, c); err != nil {
			return p.because(err)
		}
		c.held -= n
		p.acked += n
		all = all[n:]
	}
	return nil
}

// answered makes a request on the channel: when it is answered the broker has taken the acks before it.
func (p *pass) answered(ctx context.Context, c *chunk) error {
	return p.session.Do(ctx, "settle", func() error { return c.ch.Qos(1, 0, false) })
}

// readOn reads what must not stay behind when what was read goes back: see pass.
func (p *pass) readOn(ctx context.Context) {
	limit := 5 * time.Minute // a million messages; with these the broker's patience ends
	if ctx.Err() != nil {
		limit = 2 * time.Second // somebody waits, and an order that is not quite right is no loss
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for p.again && !p.worn {
		n, err := count(ctx, p.session, p.queue.name)
		if err != nil || n <= 0 {
			return
		}
		p.left = n
		if p.fill(ctx) != nil || len(p.pending) == 0 {
			return
		}
	}
}

// end gives everything back, in its order, and waits until the queue has it.
func (p *pass) end(ctx context.Context) {
	defer p.unlock()
	p.readOn(ctx)
	p.pending = nil
	ctx = context.WithoutCancel(ctx) // each request has a time limit of its own, and no channel may stay open
	watch := true
	for _, c := range p.chunks {
		before := 0
		if watch {
			n, err := count(ctx, p.session, p.queue.name)
			before, watch = n, err == nil
		}
		if !c.ch.IsClosed() {
			_ = p.session.Do(ctx, "close a channel", c.ch.Close)
		}
		watch = watch && p.isBack(ctx, before+c.held)
	}
}

// backWithin is how long a queue may take to get a channel's messages back. Another consumer may take them meanwhile.
const backWithin = 10 * time.Second

// isBack waits until the queue has so many messages.
func (p *pass) isBack(ctx context.Context, want int) bool {
	pause := time.Millisecond
	for end := time.Now().Add(backWithin); time.Now().Before(end); pause = min(2*pause, 50*time.Millisecond) {
		n, err := count(ctx, p.session, p.queue.name)
		if err != nil {
			return false
		}
		if n >= want {
			return true
		}
		backoff.Wait(ctx, pause)
	}
	return false
}

// comeBack waits until the queue has so many messages, or has got no more for a while, and returns how many it has.
func (p *pass) comeBack(ctx context.Context, want int) int {
	n := p.of
	for still := time.Now(); n < want && time.Since(still) < silence && backoff.Wait(ctx, 20*time.Millisecond); {
		now, err := count(ctx, p.session, p.queue.name)
		if err != nil {
			break
		}
		if now != n {
			n, still = now, time.Now()
		}
	}
	return n
}
