package errorqueue

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// hold has the messages that a reader has taken from the queue and not given back. It takes them on
// one channel after the other, with a subscription for each window. One goroutine uses it, that of
// the call. If the process dies, the broker takes every message back.
//
// A hold gives messages back in their order. A quorum queue (RabbitMQ 3.10, 4.0 and 4.3) that gets
// back the messages of a channel sorts them by the consumer tags of the subscriptions, if there
// were at most 32 of them; with more, the order is lost. A nack would lose the order too. So
// consumer tags sort as text, each channel has few of them, and the channels are closed one after
// the other: each when the queue has back the messages of the one before. A classic queue keeps
// each message's place.
type hold struct {
	session session  // immutable
	queue   string   // immutable
	limit   *limit   // immutable
	chunks  []*chunk // the channels, in the order of their use
}

// chunk is one channel with the messages that it holds.
type chunk struct {
	ch     channel          // immutable
	closed chan *amqp.Error // immutable
	tags   int              // subscriptions that the channel has had
	held   int              // messages that are neither acked nor given back
	last   uint64           // delivery tag

	spares map[uint64]*spare // by delivery tag; written by the hold's limit

	ackedUpTo uint64 // all messages up to this delivery tag are acked
	singly    bool   // messages behind it are acked too
}

// held is a message that a reader holds.
type held struct {
	amqp.Delivery
	chunk   *chunk
	message Message
}

const (
	tagsPerChunk = 28 // below the 32 consumer tags that a queue sorts
	// So long without a delivery; then the queue is asked whether it has messages.
	silence = time.Second
)

// last returns the channel for the next window.
func (h *hold) last(ctx context.Context) (*chunk, error) {
	if n := len(h.chunks); n > 0 && h.chunks[n-1].tags < tagsPerChunk {
		return h.chunks[n-1], nil
	}
	ch, err := h.session.Channel(ctx)
	if err != nil {
		return nil, err
	}
	c := &chunk{ch: ch, closed: ch.NotifyClose(make(chan *amqp.Error, 1)), spares: map[uint64]*spare{}}
	h.chunks = append(h.chunks, c)
	return c, nil
}

// take holds a delivery.
func (h *hold) take(c *chunk, d *amqp.Delivery) {
	c.held++
	c.last = d.DeliveryTag
	h.limit.watch(c, d)
}

// spares returns the messages of which a copy can be made, in the order in which they were read.
func (h *hold) spares() iter.Seq[*spare] {
	return func(yield func(*spare) bool) {
		for _, c := range h.chunks {
			for _, tag := range slices.Sorted(maps.Keys(c.spares)) {
				if !yield(c.spares[tag]) {
					return
				}
			}
		}
	}
}

// any says whether there are messages to give back.
func (h *hold) any() bool {
	return slices.ContainsFunc(h.chunks, func(c *chunk) bool { return c.held > 0 })
}

// ack acks messages, and returns how many of them the broker has removed from the queue. The
// messages are in the order in which they were read.
func (h *hold) ack(ctx context.Context, all []*held) (acked int, err error) {
	for len(all) > 0 {
		c, n := all[0].chunk, 0
		for n < len(all) && all[n].chunk == c {
			n++
		}
		if err := c.ack(all[:n]); err != nil {
			return acked, err
		}
		// The broker answers a request on this channel after it has processed the acks before it.
		if err := h.session.Do(ctx, "settle", func() error { return c.ch.Qos(1, 0, false) }); err != nil {
			return acked, err
		}
		for _, d := range all[:n] {
			h.limit.forget(c, d.DeliveryTag)
		}
		c.held -= n
		acked += n
		all = all[n:]
	}
	return acked, nil
}

// ack acks messages of the channel, in their order. It acks with multiple as long as no message
// before is to stay in the queue, and acks the others one by one.
func (c *chunk) ack(messages []*held) error {
	upTo := c.ackedUpTo
	for len(messages) > 0 && messages[0].DeliveryTag == upTo+1 {
		upTo, messages = upTo+1, messages[1:]
	}
	if upTo > c.ackedUpTo {
		if err := c.ch.Ack(upTo, true); err != nil {
			return err
		}
		c.ackedUpTo = upTo
	}
	for _, d := range messages {
		if err := c.ch.Ack(d.DeliveryTag, false); err != nil {
			return err
		}
		c.singly = true
	}
	return nil
}

// ackedWithin is how long a channel stays open after acks one by one. The broker's channel passes
// 32 of them on to a quorum queue, and the others when the queue has applied those. Closing the
// channel earlier loses them: RabbitMQ 3.10 did so in one of ten runs, and moved messages were
// parked again.
const ackedWithin = 50 * time.Millisecond

// giveBack gives all messages back, in their order: it closes the channels, one after the other,
// and waits until the queue has their messages.
func (h *hold) giveBack() {
	ctx := context.Background() // no channel may stay open; each request has a timeout
	h.limit.spare(ctx, h)
	defer h.limit.end()
	watch := true
	for _, c := range h.chunks {
		before := 0
		if watch {
			n, err := count(ctx, h.session, h.queue)
			before, watch = n, err == nil
		}
		if c.singly {
			backoff.Wait(ctx, ackedWithin)
		}
		if h.limit.margin == 0 && c.held > 0 {
			_ = c.nack(ctx, h.session, c.last, true) // it is not counted, and a close is
		}
		if !c.ch.IsClosed() {
			_ = h.session.Do(ctx, "close a channel", c.ch.Close)
		}
		watch = watch && h.isBack(ctx, before+c.held, h.backWithin())
	}
}

// nack gives messages back, and returns when the broker has done so.
func (c *chunk) nack(ctx context.Context, s session, tag uint64, multiple bool) error {
	if err := c.ch.Nack(tag, multiple, true); err != nil {
		return err
	}
	return s.Do(ctx, "give back", func() error { return c.ch.Qos(1, 0, false) })
}

// sendOut gives a message back and takes it again. The result is nil if the message does not come:
// because the queue has dropped it, if gone is true, or because the queue has no limit and has put
// it behind all others (RabbitMQ 3.10). What a queue with a limit gets back comes before what was
// never delivered.
func (h *hold) sendOut(ctx context.Context, s *spare) (came *spare, gone bool, err error) {
	before, err := count(ctx, h.session, h.queue)
	if err != nil {
		return nil, false, err
	}
	c := s.chunk
	if err := c.nack(ctx, h.session, s.delivery.DeliveryTag, false); err != nil {
		return nil, false, err
	}
	c.held--
	if !h.isBack(ctx, before+1, scoutWithin) {
		return nil, true, nil
	}
	for taken := 0; ; taken++ {
		d, ok, err := h.get(ctx, c)
		switch {
		case err != nil:
			return nil, false, err
		case ok && isTheSame(&d, &s.delivery):
			c.held++
			c.last = d.DeliveryTag
			return &spare{d, c}, false, nil
		case ok:
			h.take(c, &d)
		}
		if ok && d.Redelivered {
			continue
		}
		if ok {
			taken++
		}
		// If nobody has published meanwhile, the number tells.
		now, err := count(ctx, h.session, h.queue)
		return nil, now != before+1-taken, err
	}
}

// get takes one message of the queue, if there is one.
func (h *hold) get(ctx context.Context, c *chunk) (d amqp.Delivery, ok bool, err error) {
	type got struct {
		d  amqp.Delivery
		ok bool
	}
	answer := make(chan got, 1)
	err = h.session.Do(ctx, "take a message", func() error {
		d, ok, err := c.ch.Get(h.queue, false)
		answer <- got{d, ok}
		return err
	})
	if err != nil {
		return d, false, err
	}
	g := <-answer
	return g.d, g.ok, nil
}

func isTheSame(a, b *amqp.Delivery) bool {
	return a.MessageId == b.MessageId && a.Timestamp.Equal(b.Timestamp) && bytes.Equal(a.Body, b.Body) && len(a.Headers) >= len(b.Headers)
}

// backWithin is how long a queue may take to get back the messages of a channel. A queue with
// another consumer may never have as many as expected, because that one takes them.
func (h *hold) backWithin() time.Duration {
	if h.limit.consumed {
		return time.Second
	}
	return 10 * time.Second
}

// isBack waits until the queue has so many messages.
func (h *hold) isBack(ctx context.Context, want int, within time.Duration) bool {
	pause := time.Millisecond
	for end := time.Now().Add(within); time.Now().Before(end); pause = min(2*pause, 50*time.Millisecond) {
		n, err := count(ctx, h.session, h.queue)
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

// comeBack waits until a queue with n messages has as many as wanted, or has got no more for a
// second, and returns how many it has. The messages of a lost connection may be on their way back.
func comeBack(ctx context.Context, s session, queue string, n, want int) int {
	for still := time.Now(); n < want && time.Since(still) < silence && backoff.Wait(ctx, 20*time.Millisecond); {
		now, err := count(ctx, s, queue)
		if err != nil {
			break
		}
		if now != n {
			n, still = now, time.Now()
		}
	}
	return n
}

func tagOf(n int) string { return fmt.Sprintf("errors-%02d", n) }
