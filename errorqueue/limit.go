package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/effective"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Before RabbitMQ 4.3 a quorum queue counts each message that is given back, and drops it above its
// delivery limit. The limit is the lower one of an argument and of policies, and a policy can
// change at any time; AMQP tells neither. So who has only read a queue may not give a message back
// before it is known that the queue keeps it:
//
//   - The limit is known from the management API, or from the caller.
//   - Otherwise a scout shows it: the message with the highest count is given back alone, and taken
//     again. If it comes, all others may be given back. If it does not, its copy is parked instead,
//     and so are copies of all others.
//
// A message that is too close to the limit is replaced by a copy, whose count begins anew.
//
// RabbitMQ 4.3 does not count a nack, so there all is given back by one. But a dead letter keeps
// the count of its first queue, and a queue with a lower limit drops it at a nack too. So what has a
// count is treated in the same way there.

const (
	unknown = -1

	defaultLimit = 20 // of RabbitMQ 4

	// margin is how often a message must survive being given back: once by this reader, and once if
	// the next reader's process dies.
	margin = 2

	// Bounds of the messages that are kept in memory because the limit may be near: of those that
	// were given back before, and of those that were not.
	wornBytes = 64 << 20
	newBytes  = 2 << 20
	spareCost = 4 << 10 // bytes, for what a message takes beside its body
)

// limit guards the messages of one reader against the queue's delivery limit. The reader's
// goroutine uses it.
type limit struct {
	// Immutable.
	queue    *Queue
	most     int  // the effective delivery limit, or unknown
	margin   int  // see margin; 0 if the broker does not count a nack
	consumed bool // somebody else consumes from the queue

	// Written by prepare.
	sender *sender // of copies; nil until it is needed
	taker  taker   // what the copies have to fit

	bytes int // of spares; written by keep and forget
}

// spare is a message of which a copy can be made.
type spare struct {
	delivery amqp.Delivery
	chunk    *chunk
}

func (s *spare) count() int { return wire.Int(s.delivery.Headers[wire.DeliveryCount]) }

// newLimit makes the limit of a reader. Where the broker counts each message that is given back, it
// makes sure that copies can be made.
func (q *Queue) newLimit(ctx context.Context, s session, consumed bool) (*limit, error) {
	l := &limit{queue: q, most: unknown, consumed: consumed}
	if s.Peer().NackCounts() {
		l.margin = margin
	}
	if q.cfg.DeliveryLimit > 0 {
		l.most = q.cfg.DeliveryLimit
	} else if known, err := q.conn.Transport().Effective(ctx, q.name); err == nil {
		l.most = limitOf(known)
	} else if !errors.Is(err, effective.ErrUnknown) {
		q.log.WarnContext(ctx, "the delivery limit is not known", "error", err)
	}
	if l.margin == 0 {
		return l, nil
	}
	if err := l.prepare(ctx); err != nil {
		l.end()
		return nil, err
	}
	return l, nil
}

// prepare makes sure that copies can be made.
func (l *limit) prepare(ctx context.Context) (err error) {
	if l.sender != nil {
		return nil
	}
	if l.sender, l.taker, err = l.queue.sender(ctx, defaultMoveWindow); err != nil || l.most != unknown {
		return err
	}
	return l.mayPark(ctx)
}

// limitOf returns the effective delivery limit. A quorum queue without one has none before RabbitMQ
// 4.0, and 20 from then on.
func limitOf(q effective.Queue) int {
	if q.Type != "quorum" {
		return math.MaxInt32
	}
	if n, ok := q.Get("delivery-limit").Number(); ok && n >= 0 {
		return int(n)
	}
	return defaultLimit
}

// mayPark returns nil if a copy can be parked. It publishes a message to the queue that only this
// reader has.
func (l *limit) mayPark(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := l.sender.Send(ctx, envelope{RoutingKey: lockName(l.queue.name), Publishing: amqp.Publishing{Expiration: "0"}})
	if err == nil || errors.Is(err, sending.ErrUnroutable) {
		return nil
	}
	return fmt.Errorf("%w, its limit is not known, and no copy can be made because the broker takes no message: %w", ErrDeliveryLimit, err)
}

func (l *limit) end() {
	if l.sender != nil {
		stop(l.sender)
	}
}

// watch is called for each delivery.
func (l *limit) watch(c *chunk, d *amqp.Delivery) {
	if _, unread := d.Headers[illegible]; unread && l.queue.replacement != nil {
		return // its copy would lack the headers that cannot be read
	}
	if s := (&spare{*d, c}); l.hasRoom(s.count()) {
		l.keep(s)
	}
}

func (l *limit) keep(s *spare) {
	s.chunk.spares[s.delivery.DeliveryTag] = s
	l.bytes += len(s.delivery.Body) + spareCost
}

// hasRoom says whether a message with this count may have to be replaced by a copy, and there is
// room to keep it.
func (l *limit) hasRoom(count int) bool {
	switch {
	case l.most != unknown && count+l.margin <= l.most, l.margin == 0 && count == 0:
		return false
	case l.most == unknown && count == 0:
		return l.bytes < newBytes
	}
	return l.bytes < wornBytes
}

// full says whether no further message can be kept that may have to be replaced.
func (l *limit) full() bool { return l.most != unknown && l.bytes >= wornBytes }

// forget is called for a message that is gone from the queue.
func (l *limit) forget(c *chunk, tag uint64) {
	if s, ok := c.spares[tag]; ok {
		l.bytes -= len(s.delivery.Body) + spareCost
		delete(c.spares, tag)
	}
}

// spare replaces the messages that the queue would drop, now or when they are read the next time.
// It is called before the others are given back.
func (l *limit) spare(ctx context.Context, h *hold) {
	var first *spare
	for first = range h.spares() {
		break
	}
	if first == nil {
		return
	}
	if err := l.prepare(ctx); err != nil {
		l.queue.log.ErrorContext(ctx, "no copies can be made, and the queue may drop messages that are above its delivery limit", "error", err)
		return
	}
	most := l.most
	if most == unknown {
		most = l.scout(ctx, h)
	}
	var near []*spare
	for s := range h.spares() {
		if s.count()+l.margin > most {
			near = append(near, s)
		}
	}
	if len(near) > 0 && h.session.Err() == nil {
		l.queue.log.WarnContext(ctx, "parked messages are replaced by copies, because the queue would soon drop them", "messages", len(near))
	}
	for len(near) > 0 && h.session.Err() == nil {
		n := min(len(near), defaultMoveWindow)
		l.replace(ctx, h, near[:n])
		near = near[n:]
	}
}

// replace parks copies, and acks the messages whose copies are confirmed.
func (l *limit) replace(ctx context.Context, h *hold, all []*spare) {
	copies := make([]envelope, len(all))
	for i, s := range all {
		copies[i] = l.copyOf(&s.delivery)
	}
	var placed []*held
	for i, err := range l.sender.SendBatch(ctx, copies) {
		if err != nil {
			l.queue.log.ErrorContext(ctx, "a parked message cannot be replaced by a copy, and the queue may drop it", "message_id", all[i].delivery.MessageId, "error", err)
			continue
		}
		placed = append(placed, &held{Delivery: all[i].delivery, chunk: all[i].chunk})
	}
	if _, err := h.ack(ctx, placed); err != nil {
		l.queue.log.WarnContext(ctx, "parked messages that were replaced by copies may be parked twice", "messages", len(placed), "error", err)
	}
}

func (l *limit) copyOf(d *amqp.Delivery) envelope {
	m := &held{Delivery: *d}
	m.message = l.queue.read(&m.Delivery, 1)
	if l.queue.replacement != nil {
		return l.queue.replacement(m, l.taker)
	}
	return asItIs(m, l.queue.name, l.taker)
}
