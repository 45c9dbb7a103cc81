package errorqueue

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/compare"
)

const patientTimes = 30 // how often a silent queue may answer that it has messages

var errSilent = errors.New("the queue has messages and the broker delivers none: a consumer with a higher priority, or a single active one, may get them")

// window takes up to n messages from the head of the queue, and holds them. It takes fewer if the
// queue has no more. The client library buffers the deliveries of a subscription without a bound.
// So each window is a subscription with a prefetch of its size, which is then cancelled; the
// channel keeps the messages.
func (h *hold) window(ctx context.Context, n int) ([]amqp.Delivery, error) {
	c, err := h.last(ctx)
	if err != nil {
		return nil, err
	}
	c.tags++
	tag := tagOf(c.tags)
	subscribed := make(chan (<-chan amqp.Delivery), 1)
	err = h.session.Do(ctx, "subscribe", func() error {
		if err := c.ch.Qos(n, 0, false); err != nil {
			return err
		}
		deliveries, err := c.ch.Consume(h.queue, tag, false, false, false, false, compare.Subscription(0))
		subscribed <- deliveries
		return compare.Stream(h.queue, err)
	})
	if err != nil {
		return nil, err
	}
	deliveries := <-subscribed
	window, err := h.collect(ctx, c, deliveries, n)
	if err != nil {
		return nil, err
	}
	late, err := h.cancel(ctx, c, tag, deliveries)
	return append(window, late...), err
}

// collect takes n deliveries of a subscription, or fewer if the queue has no more. That is so when
// the queue is silent and has answered twice that it has no message.
func (h *hold) collect(ctx context.Context, c *chunk, deliveries <-chan amqp.Delivery, n int) ([]amqp.Delivery, error) {
	window := make([]amqp.Delivery, 0, n)
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	asked := silent{}
	for len(window) < n {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return nil, h.ended(ctx)
			}
			window = append(window, d)
			h.take(c, &d)
			asked = silent{}
		case <-quiet.C:
			if done, err := h.askWhy(ctx, &asked); done || err != nil {
				return window, err
			}
		case e := <-c.closed:
			if e != nil {
				return nil, e
			}
			return nil, amqp.ErrClosed
		case <-h.session.Done():
			return nil, h.session.Err()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		quiet.Reset(silence)
	}
	return window, nil
}

// silent counts the answers of a queue that delivers nothing.
type silent struct{ empty, full int }

// askWhy asks a silent queue whether it has messages. It is done when the queue has none.
func (h *hold) askWhy(ctx context.Context, asked *silent) (done bool, err error) {
	ready, err := count(ctx, h.session, h.queue)
	if err != nil && !errors.Is(err, errNotAllowed) {
		return false, err
	}
	if ready <= 0 {
		asked.empty++
	} else {
		asked.full++
	}
	if asked.full == patientTimes {
		return false, errSilent
	}
	return asked.empty == 2, nil
}

// ended returns why a subscription has ended.
func (h *hold) ended(ctx context.Context) error {
	if _, err := count(ctx, h.session, h.queue); errors.Is(err, errNotFound) {
		return ErrNoQueue // the queue was deleted
	}
	return amqp.ErrClosed
}

// cancel ends a subscription, and returns the deliveries that came meanwhile.
func (h *hold) cancel(ctx context.Context, c *chunk, tag string, deliveries <-chan amqp.Delivery) ([]amqp.Delivery, error) {
	late := make(chan []amqp.Delivery, 1)
	go func() { // Cancel waits until the client library's buffer is empty
		var all []amqp.Delivery
		for d := range deliveries {
			all = append(all, d)
		}
		late <- all
	}()
	if err := h.session.Do(ctx, "cancel a subscription", func() error { return c.ch.Cancel(tag, false) }); err != nil {
		return nil, err
	}
	all := <-late
	for i := range all {
		h.take(c, &all[i])
	}
	return all, nil
}
