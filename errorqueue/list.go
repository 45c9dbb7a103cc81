package errorqueue

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
)

// ListOptions are the options of [Queue.List]. The zero value lists all.
type ListOptions struct {
	// Filter chooses messages.
	//
	// Defaults to all.
	Filter Filter

	// Limit ends the list after so many messages.
	//
	// Defaults to no limit.
	Limit int

	// Progress receives the progress of the call: see [Progress].
	Progress func(Progress)
}

// List yields the messages that are in the queue now, beginning with the one that was parked first.
// It changes nothing: when the loop has ended, also by a break, all messages that it has read are
// in the queue again, in their order. Until then nobody else sees these messages. A bounded number
// of messages is in memory at once. Each reading counts as a delivery: see Config.DeliveryLimit.
//
// A list that ends early, by its Limit or a break, reads on without yielding, until it meets a
// message that was never read before. Otherwise a quorum queue would change the order. After the
// end of ctx it reads on for 2 s at most. If that is not enough, or if the process is killed or the
// connection is lost, no message is lost but some may have changed places.
//
// An error ends the list: the context's, those of package connection, ErrNoQueue, ErrBusy,
// ErrHeldTooLong, ErrDeliveryLimit, *FieldError, or *UnreadableError. The messages before it are
// valid. The loop must not call other methods of the Queue that read.
func (q *Queue) List(ctx context.Context, o ListOptions) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if err := q.each(ctx, o, func(d *held) bool { return yield(d.message, nil) }); err != nil {
			yield(Message{}, q.failed(err))
		}
	}
}

// each calls f once for each chosen message, until f returns false.
func (q *Queue) each(ctx context.Context, o ListOptions, f func(*held) bool) error {
	chosen, err := o.Filter.at(time.Now())
	if err != nil {
		return err
	}
	return q.list(ctx, &listing{queue: q, chosen: chosen, limit: o.Limit, yield: f, report: newReporter(o.Progress, q.log)})
}

// list does what a listing says.
func (q *Queue) list(ctx context.Context, l *listing) error {
	if l.limit < 0 {
		return &FieldError{"Limit", itoa(l.limit), "0 or above"}
	}
	defer l.report.end()
	e, err := untilExact(ctx, func(e edge) error {
		l.seen.again()
		l.within.again()
		return l.read(ctx, e)
	})
	var u *UnreadableError
	// An earlier reading may have passed messages that are behind it now.
	if errors.As(err, &u) && e.of >= 0 {
		u.Behind = max(0, e.of-1-l.seen.total())
	}
	return err
}

// listing is one call of each, or of Export. One goroutine uses it.
type listing struct {
	queue    *Queue
	chosen   *filter.Matcher
	limit    int // 0 is none
	yield    func(*held) bool
	within   *within   // nil is the whole queue
	follower *follower // nil if nobody is told

	report  *reporter
	seen    seen
	matched int // written by read
}

// read reads the queue once. It does not yield a message that an earlier reading has read.
func (l *listing) read(ctx context.Context, e edge) error {
	l.report.enter(PhaseWaiting)
	r, err := l.queue.begin(ctx, l.within.extent(e))
	if err != nil {
		return err
	}
	l.report.enter(PhaseReading)
	defer func() {
		l.report.enter(PhaseGivingBack)
		r.end(ctx)
	}()
	r.follower = l.follower
	now := Progress{Of: l.within.of(r.of), Matched: l.matched}
	for l.limit == 0 || l.matched < l.limit {
		d, ok, err := r.next(ctx)
		if err != nil || !ok {
			return err
		}
		if r.overdue() {
			return ErrHeldTooLong
		}
		now.Read++
		if m := d.message.subject(); l.within.has(d) && !l.seen.before(d) && l.chosen.Matches(&m) {
			l.matched++
			now.Matched = l.matched
			if !l.yield(d) {
				l.report.tell(now)
				return nil
			}
		}
		l.report.tell(now)
	}
	return nil
}
