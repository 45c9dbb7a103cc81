package use

import (
	"context"
	"errors"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// TreatAsAck acknowledges messages that failed with an error which means that the work is done, or
// is not needed, such as a payment that was made already. isDone is asked about the error of a
// Result:
//
//	the handler returns or does           isDone is asked    if it returns true
//	Retry, RetryAfter, Error              yes                Ack
//	the same without an error             no                 -
//	Ack, Snooze                           no                 -
//	Timeout, the error of a context       no                 -
//	Retry past its timeout                no                 -
//	the body does not decode              no                 -
//	it panics                             no                 -
//
// It does not promise that the work was done: that is for isDone to know. It must be safe for use
// by many goroutines at once. If it panics the message is retried, as if the handler had panicked.
//
// A nil isDone panics when consumer.New calls the middleware; that is an error of New.
func TreatAsAck(isDone func(error) bool) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		if isDone == nil {
			panic(errors.New("use: TreatAsAck has a nil function"))
		}
		if next == nil {
			return nil
		}
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			r := next(ctx, d)
			if asksAbout(ctx, r) && isDone(r.Err()) {
				return consumer.Ack()
			}
			return r
		}
	}
}

func asksAbout(ctx context.Context, r consumer.Result) bool {
	switch {
	case r.Err() == nil, r.Acked(), r.Snoozed(), r.TimedOut(), undecodable(r), gaveUp(r.Err()):
		return false
	}
	return r.Errored() || ctx.Err() == nil
}
