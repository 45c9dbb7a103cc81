package errorqueue

import (
	"context"
	"math"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// scoutWithin is how long a queue may take to get the scout back. A busy broker may need a second.
const scoutWithin = 3 * time.Second

// scout returns how often a message has survived, or 0 if it has not: a policy may just have set a
// limit below all counts. It gives the front back and takes it again, until its count has gone up
// by the margin.
func (l *limit) scout(ctx context.Context, h *hold) (most int) {
	var f *spare
	for s := range h.spares() {
		if f == nil || s.count() > f.count() {
			f = s // the first of them, so that the queue keeps its order
		}
	}
	if f == nil || l.consumed {
		return math.MaxInt // nothing is held; or who consumes takes the scout, and all others
	}
	before, err := count(ctx, h.session, h.queue)
	if err != nil {
		return math.MaxInt
	}
	for want := f.count() + max(l.margin, 1); f.count() < want; {
		came, gone, err := h.sendOut(ctx, f)
		switch {
		case err != nil:
			return math.MaxInt // the session has ended: all messages are back
		case came == nil && !gone:
			l.forget(f.chunk, f.delivery.DeliveryTag)
			return math.MaxInt
		case came == nil:
			l.park(ctx, f)
			l.forget(f.chunk, f.delivery.DeliveryTag)
			return 0
		case came.count() == f.count():
			// The queue does not count: it is a classic one, or of RabbitMQ 4.3.
			l.forget(f.chunk, f.delivery.DeliveryTag)
			if came.chunk.nack(ctx, h.session, came.delivery.DeliveryTag, false) == nil {
				came.chunk.held--
			}
			return math.MaxInt
		}
		l.forget(f.chunk, f.delivery.DeliveryTag)
		f = came
		l.keep(f)
	}
	l.bringBack(ctx, h, f, before)
	return f.count()
}

// bringBack gives the scout back before all others, so that the queue keeps its order. Nothing
// shows whether the scout survives this but the number of messages in the queue. If others come
// meanwhile, the scout is replaced by a copy.
func (l *limit) bringBack(ctx context.Context, h *hold, f *spare, before int) {
	now, err := count(ctx, h.session, h.queue)
	for tries := 0; err == nil && now != before && tries < 5; tries++ { // it may lag behind
		backoff.Wait(ctx, 10*time.Millisecond)
		now, err = count(ctx, h.session, h.queue)
	}
	if err != nil || now != before {
		l.replace(ctx, h, []*spare{f})
		return
	}
	if f.chunk.nack(ctx, h.session, f.delivery.DeliveryTag, false) != nil {
		return // the channel has ended
	}
	l.forget(f.chunk, f.delivery.DeliveryTag)
	f.chunk.held--
	if !h.isBack(ctx, before+1, scoutWithin) {
		l.park(ctx, f)
	}
}

// park publishes a copy of a message that the queue has dropped.
func (l *limit) park(ctx context.Context, s *spare) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := l.sender.Send(ctx, l.copyOf(&s.delivery))
		if err == nil {
			l.queue.log.WarnContext(ctx, "the queue has dropped a message that was given back, and its copy is parked", "message_id", s.delivery.MessageId, "deliveries", s.count())
			return
		}
		if isItsOwnFault(err) || !backoff.Wait(ctx, pause) {
			l.queue.log.ErrorContext(ctx, "the queue has dropped a message that was given back, and its copy cannot be parked", "message_id", s.delivery.MessageId, "error", err)
			return
		}
	}
}
