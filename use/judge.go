package use

import (
	"context"
	"errors"
	"net/http"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// ending is what the end of a call says of the service that it needed.
type ending struct {
	what what
	why  error // of a failure
}

type what int

const (
	answered what = iota + 1
	failed
	panicked // failed, and the handler has not returned
	neither  // the service was not asked, as far as is known
	throttling
)

// judge returns what a Result says of the service. isFailure is asked about Results that may say
// either.
func judge(ctx context.Context, r consumer.Result, isFailure func(consumer.Result) bool) ending {
	switch {
	case r.Acked():
		return ending{what: answered}
	case stopped(ctx), undecodable(r):
		return ending{what: neither}
	case timedOut(ctx, r):
		return ending{failed, errors.Join(context.Cause(ctx), r.Err())}
	case isFailure(r):
		return ending{failed, r.Err()}
	case r.Errored():
		return ending{what: answered}
	case r.Snoozed() && status(r) != 0:
		return ending{what: throttling}
	}
	return ending{what: neither}
}

// isDown is what counts as a failure by default. A 503 that says Retry-After is a Snooze.
func isDown(r consumer.Result) bool {
	return r.Retried() || r.Snoozed() && status(r) == http.StatusServiceUnavailable
}

// status returns the status of the response that a Result is about, or 0.
func status(r consumer.Result) int {
	if e, ok := foreign.As[*StatusError](r.Err()); ok && e != nil {
		return e.Status
	}
	return 0
}

// stopped returns whether a stop has cancelled the handler.
func stopped(ctx context.Context) bool { return errors.Is(context.Cause(ctx), consumer.ErrStopping) }

// timedOut returns whether the consumer takes a Result for that of a handler that ran past its
// timeout.
func timedOut(ctx context.Context, r consumer.Result) bool {
	return (r.Retried() || r.Errored() && gaveUp(r.Err())) && errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// gaveUp returns whether a handler failed because its context had ended.
func gaveUp(err error) bool {
	return foreign.Is(err, context.Canceled) || foreign.Is(err, context.DeadlineExceeded)
}

// undecodable returns whether a Result says that the body could not be decoded. Then the handler
// has called nobody.
func undecodable(r consumer.Result) bool {
	_, ok := foreign.As[*consumer.DecodeError](r.Err())
	return ok && r.Errored()
}
