package errorqueue

import (
	"context"
	"iter"
	"time"
)

// ListOptions are those of [Queue.List]. The zero value lists all.
type ListOptions struct {
	// Filter chooses messages.
	//
	// Defaults to all.
	Filter Filter

	// Limit ends the list after so many messages.
	//
	// Defaults to no limit.
	Limit int

	// Progress is told how far it is: see [Progress].
	Progress func(Progress)
}

// List yields the messages that are in the queue now, the one that was parked first at first. It changes nothing: all that was read
// is in the queue again, in its order, when the loop has ended, by a break too; until then nobody else sees it. A bounded number
// of messages is in memory at once. Each reading counts as a delivery: see Config.MaxDeliveries.
//
// The order of a quorum queue has a price: a list that ends early, by its Limit or a break, reads on, without showing it, past all that
// was ever read before. When ctx ends it does so for 2 s at most; then, and when the process is killed, the messages are all there but
// some may have changed places.
//
// An error ends the list: the context's, those of connection, ErrNoQueue, ErrBusy, ErrHeldTooLong, ErrDeliveryLimit, ErrSilent, a
// *FieldError.
// What came before it is good. The loop must not call other methods of the Queue that read.
func (q *Queue) List(ctx context.Context, o ListOptions) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if err := q.each(ctx, o, func(d *held) bool { return yield(d.message, nil) }); err != nil {
			yield(Message{}, q.failed(err))
		}
	}
}

// each calls f for each message that is chosen, until it returns false.
func (q *Queue) each(ctx context.Context, o ListOptions, f func(*held) bool) error {
	if o.Limit < 0 {
		return &FieldError{"Limit", itoa(o.Limit), "0 or above"}
	}
	filter, err := o.Filter.compile(time.Now())
	if err != nil {
		return err
	}
	p, err := q.begin(ctx, -1)
	if err != nil {
		return err
	}
	defer p.end(ctx)
	report := reporter{to: o.Progress, now: Progress{Of: p.of}}
	defer report.end()
	for n := 0; o.Limit == 0 || n < o.Limit; {
		d, ok, err := p.next(ctx)
		if err != nil || !ok {
			return err
		}
		if p.overdue() {
			return ErrHeldTooLong
		}
		report.now.Read++
		if filter.match(&d.message) {
			n++
			report.now.Matched++
			if !f(d) {
				return nil
			}
		}
		report.tell()
	}
	return nil
}
