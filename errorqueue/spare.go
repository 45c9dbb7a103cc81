package errorqueue

import (
	"context"
	"errors"
)

// spare saves messages that were delivered as often as they may be. From RabbitMQ 4.3 on a dead
// letter keeps the count that it had, which may be above this queue's limit when it arrives. The
// broker drops such a message whenever it gets it back, also by a nack. So the message is published
// again to the same queue, whose count of it begins anew, and only then acked. What cannot be
// published is given back by a nack, which does not count there, and saves it if the limit is not
// passed yet. Before 4.3 the count of a dead letter begins anew, and a nack counts.
func (r *reader) spare() {
	s := r.session()
	if len(r.spent) == 0 || s.Err() != nil || s.Peer().NackCounts() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	errs := r.publishAgain(ctx, r.spent)
	for i, d := range r.spent {
		how := func() error { return d.chunk.ch.Nack(d.DeliveryTag, false, true) }
		if errs[i] == nil {
			how = func() error { return d.chunk.ch.Ack(d.DeliveryTag, false) }
		}
		if how() == nil {
			d.chunk.held--
			d.chunk.singly = true
		}
	}
	for _, c := range r.hold.chunks { // the queue has them when the channel has answered
		_ = s.Do(ctx, "settle", func() error { return c.ch.Qos(1, 0, false) })
	}
}

// publishAgain publishes messages to their own queue, with all that is known of why they failed.
// The errors are theirs, by index.
func (r *reader) publishAgain(ctx context.Context, messages []*held) []error {
	errs := make([]error, len(messages))
	sender, user, err := r.queue.sender(ctx, defaultMoveWindow)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer stop(sender)
	for i, d := range messages {
		if _, isIllegible := d.Headers[illegible]; isIllegible {
			errs[i] = errors.New("its headers cannot be published")
			continue
		}
		errs[i] = sender.Send(ctx, asItIs(d, r.queue.name, user))
	}
	return errs
}
