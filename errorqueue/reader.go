package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// reader reads the queue once, from its head. It holds all messages that it has read until its end.
// Those that were not acked go back then, in their order. One goroutine uses it, that of the call.
//
// A quorum queue puts messages that it gets back behind those that it got back earlier, and in
// front of those that were never delivered. So a reader that ends early first reads on until it
// meets a message that was never delivered. Otherwise the queue's head would end up behind other
// messages.
type reader struct {
	// Immutable.
	queue  *Queue
	hold   *hold
	of     int // messages in the queue at the beginning, -1 if unknown
	began  time.Time
	unlock func()

	follower *follower // set by who began it, before next; nil if nobody is told

	// Written by next, fill, ack and readOn.
	edge    edge
	left    int // messages that are still to be read
	read    int // messages that next has returned
	acked   int
	size    int             // of the next window
	pending []amqp.Delivery // of the last window, not returned yet; all in the last chunk
	// The last message of a window was delivered before, so the next ones may be too.
	again bool
}

// extent says how much of the queue a reader reads.
type extent struct {
	most int // messages; negative is all that are there at the beginning
	// Messages to wait for: a lost connection may have held them.
	expect int
	edge   edge // of a message that cannot be read
}

// whole is the extent of the whole queue.
func whole(e edge) extent { return extent{most: -1, expect: e.of, edge: e} }

const firstWindow = 16 // until it is known how large messages are

// begin waits for its turn and starts a reader. It also waits for a connection that has just been
// lost.
func (q *Queue) begin(ctx context.Context, what extent) (*reader, error) {
	for tries := 0; ; tries++ {
		s, err := q.link.Session(ctx)
		if err != nil {
			return nil, err
		}
		r, err := q.start(ctx, s, what)
		if err == nil || tries == 3 || !isOver(s, err) {
			return r, err
		}
	}
}

func (q *Queue) start(ctx context.Context, s session, what extent) (*reader, error) {
	unlock, err := q.lock(ctx, s)
	if err != nil {
		return nil, err
	}
	n, consumers, err := look(ctx, s, q.name)
	if err == nil && n < what.expect {
		n = comeBack(ctx, s, q.name, n, what.expect)
	}
	left := n
	switch {
	case errors.Is(err, errNotFound):
		err = ErrNoQueue
	case errors.Is(err, errNotAllowed):
		left, err = math.MaxInt32, nil // until the queue is silent
	}
	if err != nil {
		unlock()
		return nil, err
	}
	if what.most >= 0 {
		left = min(left, what.most)
	}
	limit, err := q.newLimit(ctx, s, consumers > 0)
	if err != nil {
		unlock()
		return nil, err
	}
	size := min(firstWindow, q.cfg.Window)
	return &reader{
		queue: q, hold: &hold{session: s, queue: q.name, limit: limit}, of: n, edge: what.edge, began: time.Now(), unlock: unlock,
		left: left, size: size,
	}, nil
}

// next returns the next message, false at the end. The reader holds the message until the reader
// ends or acks it.
func (r *reader) next(ctx context.Context) (*held, bool, error) {
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	if len(r.pending) == 0 {
		if err := r.fill(ctx); err != nil {
			return nil, false, err
		}
		if len(r.pending) == 0 {
			return nil, false, nil
		}
	}
	d := &held{Delivery: r.pending[0], chunk: r.hold.chunks[len(r.hold.chunks)-1]}
	r.pending[0] = amqp.Delivery{} // the caller decides how long the body stays in memory
	r.pending = r.pending[1:]
	r.read++
	d.message = r.queue.read(&d.Delivery, r.read)
	r.follower.read(&d.message)
	return d, true, nil
}

// fill reads the next window.
func (r *reader) fill(ctx context.Context) error {
	n := r.edge.window(r.read, min(r.size, r.left))
	if n == 0 {
		return nil
	}
	if r.edge.settled && r.edge.near(r.read) { // the outcome is known
		return &stuckError{read: r.read, window: n, of: r.of, err: r.edge.err}
	}
	if l := r.hold.limit; l.full() {
		return fmt.Errorf("after %d messages: %w, which is %d", r.read, ErrDeliveryLimit, l.most)
	}
	window, err := r.hold.window(ctx, n)
	if err != nil {
		return r.because(err, n)
	}
	if len(window) < n {
		r.left = 0 // the queue has no more
	} else {
		r.left -= n
	}
	r.pending = window
	if len(window) > 0 {
		r.again = window[len(window)-1].Redelivered
	}
	r.resize(window)
	return nil
}

const maxHeldInMemory = 16 << 20 // bytes of bodies

// resize sets the size of the next window by the bodies of the last one.
func (r *reader) resize(window []amqp.Delivery) {
	bytes := 0
	for _, d := range window {
		bytes += len(d.Body)
	}
	switch {
	case bytes > maxHeldInMemory:
		r.size = max(1, r.size/2)
	case bytes < maxHeldInMemory/4:
		r.size = min(r.size*2, r.queue.cfg.Window)
	}
}

// atEdge says whether the next message may be the one that cannot be read. Asking for it loses the
// messages that the reader holds.
func (r *reader) atEdge() bool { return len(r.pending) == 0 && r.edge.near(r.read) }

// metAll says whether as many messages were read as the queue had at the beginning.
func (r *reader) metAll() bool { return r.of >= 0 && r.read >= r.of }

// overdue says whether the reader has held messages for as long as it may.
func (r *reader) overdue() bool { return time.Since(r.began) >= r.queue.cfg.HoldFor }

// session returns the session on which the reader holds its messages.
func (r *reader) session() session { return r.hold.session }

// moreToRead adds one message to those that are left to read.
func (r *reader) moreToRead() { r.left++ }

// ack removes messages from the queue. It returns when the broker has removed them, and how many.
// The messages are in the order in which they were read.
func (r *reader) ack(ctx context.Context, messages []*held) (acked int, err error) {
	acked, err = r.hold.ack(ctx, messages)
	r.acked += acked
	if err != nil {
		return acked, r.because(err, 0)
	}
	return acked, nil
}

// because adds the reason of the session's end to an error, if the session has ended: a channel
// only knows that it is closed. window is how many messages had been asked for.
func (r *reader) because(err error, window int) error {
	s := r.session()
	if !isOver(s, err) {
		return err
	}
	if ended := s.Err(); window > 0 && isUnreadable(ended) {
		return &stuckError{read: r.read, window: window, of: r.of, err: ended}
	}
	return errors.Join(err, s.Err())
}

// end gives all messages back, in their order, and waits until the queue has them.
func (r *reader) end(ctx context.Context) {
	defer r.unlock()
	r.readOn(ctx)
	r.pending = nil
	r.hold.giveBack()
}

// readOn reads the messages that must not stay in front of those that go back: see reader.
func (r *reader) readOn(ctx context.Context) {
	// For a million messages. With HoldFor it is below consumer_timeout.
	limit := 5 * time.Minute
	if ctx.Err() != nil {
		limit = 2 * time.Second // the caller waits; a changed order loses no message
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	// The message that cannot be read must not stay in front either.
	r.edge.settled = false
	for r.again && r.hold.any() && r.session().Err() == nil {
		r.read, r.pending = r.read+len(r.pending), nil // the edge counts them
		n, err := count(ctx, r.session(), r.queue.name)
		if err != nil || n <= 0 {
			return
		}
		r.left = n
		if r.fill(ctx) != nil || len(r.pending) == 0 {
			return
		}
	}
}
