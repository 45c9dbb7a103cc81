package sending

import (
	"context"
	"fmt"
	"time"
)

// Limit bounds every call from now on whose context has no deadline. A batch is bounded from one
// message that got a place or was confirmed to the next. 0 is no limit. Limit is called before the
// first message.
func (p *Pipeline) Limit(d time.Duration) { p.limit = d }

// overdue is the cause of the end of a call that Limit has ended.
type overdue time.Duration

func (o overdue) Error() string {
	return fmt.Sprintf("publisher.Config.Timeout of %s is over", time.Duration(o))
}

// Is makes it a context.DeadlineExceeded, as for a caller's own deadline.
func (o overdue) Is(target error) bool { return target == context.DeadlineExceeded }

// limited says whether Limit bounds a call with this context.
func (p *Pipeline) limited(ctx context.Context) bool {
	if p.limit <= 0 {
		return false
	}
	_, has := ctx.Deadline()
	return !has
}

// due is when Limit ends a call that begins now, zero for never.
func (p *Pipeline) due(ctx context.Context) time.Time {
	if !p.limited(ctx) {
		return time.Time{}
	}
	return time.Now().Add(p.limit)
}

// until ends at due, unless that is zero. It is for waiting, since it costs more than a timer.
func (p *Pipeline) until(ctx context.Context, due time.Time) (context.Context, context.CancelFunc) {
	if due.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, due, overdue(p.limit))
}

// alarm returns a timer for a caller that waits. A new one is three allocations, so each is used
// again; silence takes it back.
func (p *Pipeline) alarm(d time.Duration) *time.Timer {
	timer, used := p.alarms.Get().(*time.Timer)
	if !used {
		return time.NewTimer(d)
	}
	timer.Reset(d)
	return timer
}

// silence keeps no timer that has fired: GODEBUG=asynctimerchan=1 leaves a value in its channel.
func (p *Pipeline) silence(timer *time.Timer) {
	if timer.Stop() {
		p.alarms.Put(timer)
	}
}

// progressing ends when Limit has passed since the last call of progress.
func (p *Pipeline) progressing(ctx context.Context) (bounded context.Context, progress, cancel func()) {
	if !p.limited(ctx) {
		return ctx, func() {}, func() {}
	}
	bounded, end := context.WithCancelCause(ctx)
	timer := time.AfterFunc(p.limit, func() { end(overdue(p.limit)) })
	return bounded, func() { timer.Reset(p.limit) }, func() {
		timer.Stop()
		end(nil)
	}
}
