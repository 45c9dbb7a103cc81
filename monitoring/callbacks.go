package monitoring

import "context"

// Callbacks is a Monitor made of functions, one for each event of the monitoring of Clojure's
// Bunnicula. At most one of them is called for a delivery, after it was settled. A nil function is
// skipped, so the zero Callbacks does nothing.
//
// As in Clojure, the function says how the attempt ended, not what became of the message: OnRetry,
// OnTimeout and OnException are also called when no retry was left and the message was parked.
// [Outcome.Action] distinguishes the two.
//
// A handler in Clojure asks for a retry without an error, and fails by throwing one. Here it returns
// Retry in both cases, so the error tells the two apart: Retry(nil) calls OnRetry, and Retry(err)
// calls OnException.
//
// No function is called for a delivery that shutdown interrupted: it will be delivered again.
type Callbacks struct {
	// OnSuccess is called when the message was acked.
	OnSuccess func(context.Context, Delivery, Outcome)

	// OnRetry is called when the handler asked for a retry without an error.
	OnRetry func(context.Context, Delivery, Outcome)

	// OnError is called when the handler said that the message cannot succeed, and when the message
	// was parked because its headers left it no room to wait.
	OnError func(context.Context, Delivery, Outcome)

	// OnTimeout is called when the handler ran past its timeout, or returned Timeout.
	OnTimeout func(context.Context, Delivery, Outcome)

	// OnException is called when the handler asked for a retry with an error, when it returned the
	// zero Result or panicked, when the body could not be decoded or the headers not be read, and
	// when the message was parked because its process died over it too often or the broker refused
	// its copy.
	OnException func(context.Context, Delivery, Outcome)

	// OnSnooze is called when the message waits without having used an attempt.
	// Clojure's Bunnicula has nothing like it.
	OnSnooze func(context.Context, Delivery, Outcome)
}

var _ Monitor = Callbacks{}

// Begin returns ctx as it is.
func (c Callbacks) Begin(ctx context.Context, _ Delivery) context.Context { return ctx }

// End calls the function that fits the outcome.
func (c Callbacks) End(ctx context.Context, d Delivery, o Outcome) {
	if f := c.pick(o); f != nil {
		f(ctx, d, o)
	}
}

func (c Callbacks) pick(o Outcome) func(context.Context, Delivery, Outcome) {
	switch o.Action {
	case Acked:
		return c.OnSuccess
	case Snoozed:
		return c.OnSnooze
	case Retried, Parked:
		return c.pickFailure(o)
	default: // Interrupted
		return nil
	}
}

func (c Callbacks) pickFailure(o Outcome) func(context.Context, Delivery, Outcome) {
	switch o.Reason {
	case ReasonRetry, ReasonRetriesExhausted:
		if o.Err != nil {
			return c.OnException
		}
		return c.OnRetry
	case ReasonTimeout:
		return c.OnTimeout
	case ReasonPanic, ReasonUndecodable, ReasonCrashed, ReasonRefused:
		return c.OnException
	case ReasonError:
		return c.OnError
	}
	// A reason that this package does not know must not be dropped silently.
	if o.Action == Retried {
		return c.OnRetry
	}
	return c.OnError
}
