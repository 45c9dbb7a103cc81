package use

import (
	"context"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// MaxAge parks messages that are too old to be tried again. It bounds what has no bound of its own:
// a Snooze, a long backoff, a Breaker that stays open. The age counts from Delivery.Since, so that
// a message is as old as the time since it was published, was due, or was redriven, whichever is
// last.
//
//	the handler returns     and the message is younger    or age or older
//	Retry, RetryAfter       that                          Error
//	Timeout, Result{}       that                          Error
//	Snooze                  that                          Error
//	Ack, Error              that                          that
//	it panics               a retry                       a retry
//
// The delay of a RetryAfter or a Snooze is added to the age, so that no message waits for an
// attempt that comes too late. So around RatePerKey a message is parked at once, without an
// attempt, if the line of its key is longer than age. The Error says how old the message is and
// wraps the error that the handler returned, but not that of a context. Put MaxAge before the
// middleware whose Results it is to see.
//
// It does not promise that no message older than age is handled: the handler runs whenever a
// message comes, and may succeed. A message whose publisher has set no timestamp has no age when it
// comes first, and later the age of its first copy: the time since it was first retried or snoozed.
// A publisher.Publisher sets one. Timestamps are in whole seconds and by the publisher's clock.
//
// An age of 0 or below panics when consumer.New calls the middleware; that is an error of New.
func MaxAge(age time.Duration) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		if age <= 0 {
			panic(fmt.Errorf("use: MaxAge is %s, want more than 0", age))
		}
		if next == nil {
			return nil
		}
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			r := next(ctx, d)
			if r.Acked() || r.Errored() || d.Since.IsZero() {
				return r
			}
			if old := time.Since(d.Since); old >= age-r.Delay() {
				return consumer.Error(tooOld(old, age, r))
			}
			return r
		}
	}
}

// tooOld says why a message is parked. It does not wrap the error of a context, which would make
// the Error of a handler that ran past its timeout a timeout, and so a retry.
func tooOld(old, age time.Duration, r consumer.Result) error {
	text := fmt.Sprintf("use: the message is %s old, MaxAge is %s", old.Round(time.Second), age)
	if old < age {
		text = fmt.Sprintf("use: the message is %s old and would wait %s, MaxAge is %s", old.Round(time.Second), r.Delay(), age)
	}
	cause := foreign.Safe(r.Err())
	switch {
	case cause == nil && r.Snoozed():
		return fmt.Errorf("%s: it was to snooze for %s", text, r.Delay())
	case cause == nil:
		return fmt.Errorf("%s", text)
	case gaveUp(cause):
		return fmt.Errorf("%s: %v", text, cause) //nolint:errorlint // or the core takes it for a timeout, and retries
	}
	return fmt.Errorf("%s: %w", text, cause)
}
