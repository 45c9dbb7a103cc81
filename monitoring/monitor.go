package monitoring

import (
	"context"
	"fmt"
	"time"
)

// Monitor is told of every delivery, once before its handler runs and once
// after it has been settled. It can neither change an outcome nor delay one by
// failing: a panic in a Monitor is caught and logged by whoever calls it.
//
// Both methods are called from many goroutines at once. They are on the path of
// every delivery, so they should not block: hand slow work to a goroutine.
type Monitor interface {
	// Begin is called before the handler runs. The context that it returns is
	// the handler's, and comes back in End: start a span or a timer in it.
	// A nil context is taken for the one that came in.
	//
	// Begin is also called for a delivery whose handler never runs because it
	// killed its process too often; End follows at once.
	Begin(ctx context.Context, d Delivery) context.Context

	// End is called after the delivery was settled: what happened, how long the
	// handler ran, and why. It is not called for a delivery that went back to the
	// broker because its session ended first; the broker delivers that one again. An ack is on
	// its way for up to a millisecond: if the session ends in that, the message comes again although End was called.
	// ctx keeps the values of the context that Begin returned, and is never cancelled.
	End(ctx context.Context, d Delivery, o Outcome)
}

// Delivery is a message as it was delivered to a consumer, in the words of the
// person who published it. What earlier attempts changed (exchange, routing key,
// expiration, user id) is shown as it was at first.
//
// Headers and Body are shared: read them, do not change them, and copy what you keep.
type Delivery struct {
	// Consumer is the name of the consumer, by default its queue's.
	Consumer string
	// Queue is the main queue that the consumer reads.
	Queue string

	// Attempt is 1 the first time, and never above MaxRetries + 1.
	Attempt int
	// MaxRetries is the consumer's setting. Attempt MaxRetries + 1 is the last.
	MaxRetries int

	// Body is the payload as it came over the wire.
	Body []byte
	// Headers are the user's headers, of any AMQP type. The framework's own and the
	// broker's are left out.
	Headers map[string]any

	Exchange   string // that the message was first published to, "" is the default exchange
	RoutingKey string // that the message was first published with

	MessageID       string
	CorrelationID   string
	ReplyTo         string
	Type            string
	AppID           string
	UserID          string
	ContentType     string
	ContentEncoding string
	Expiration      string    // as first published, in milliseconds, "" is none
	Priority        uint8     // 0 to 255
	Timestamp       time.Time // when it was published, to the second; zero if the publisher did not say

	// Redelivered says that the broker has delivered this message before. The same is
	// not true of messages that waited in a retry queue.
	Redelivered bool
}

// LastAttempt says whether a Retry now would park the message.
func (d Delivery) LastAttempt() bool { return d.Attempt > d.MaxRetries }

// Action is what was done about a delivery.
type Action int

// The actions. The zero Action is none of them.
const (
	Acked       Action = iota + 1 // the handler succeeded, the message is gone
	Retried                       // it waits in a retry queue, and one attempt was used
	Snoozed                       // it waits in a retry queue, and no attempt was used
	Parked                        // it was given up, and stands in the error queue
	Interrupted                   // shutdown cancelled its handler; it is back in its queue, and no attempt was used
)

var actionNames = [...]string{Acked: "acked", Retried: "retried", Snoozed: "snoozed", Parked: "parked", Interrupted: "interrupted"}

// String is the action's name in lower case, as logs and metrics spell it.
func (a Action) String() string {
	if a < Acked || a > Interrupted {
		return fmt.Sprintf("action(%d)", int(a))
	}
	return actionNames[a]
}

// Reason is why a delivery was retried or parked. The copy carries it in the header bunnicula-reason.
type Reason string

// The reasons. A message whose last attempt timed out or panicked is parked with that
// reason; ReasonRetriesExhausted means that the handler asked for one retry too many.
const (
	ReasonNone             Reason = ""                  // it was acked, snoozed or interrupted
	ReasonRetry            Reason = "retry"             // the handler asked for a retry, or returned the zero Result (retried only)
	ReasonError            Reason = "error"             // the handler said that it cannot succeed (parked only)
	ReasonRetriesExhausted Reason = "retries-exhausted" // the handler asked for a retry, and none was left (parked only)
	ReasonTimeout          Reason = "timeout"           // the handler ran past its timeout
	ReasonPanic            Reason = "panic"             // the handler panicked or called runtime.Goexit
	ReasonUndecodable      Reason = "undecodable"       // the body could not be decoded (parked only)
	ReasonCrashed          Reason = "crashed"           // its process or connection died over it MaxCrashes times (parked only)
)

// Outcome is what became of a delivery.
type Outcome struct {
	// Action is what was done.
	Action Action

	// Reason is why the message was retried or parked; ReasonNone if it was neither.
	Reason Reason

	// Err is the handler's error, or what the framework found. It may be nil, even
	// when the attempt failed: Retry(nil) is allowed.
	Err error

	// Stack is the handler's stack after a panic, runtime.Goexit or a timeout that
	// was not obeyed; else empty.
	Stack string

	// Group is the fingerprint of consumer, error type and normalised message that
	// parked messages are grouped by (header bunnicula-error-group); empty without a failure.
	Group string

	// Delay is how long a retried or snoozed message waits at least; else 0.
	Delay time.Duration

	// Duration is how long the handler ran; 0 if it did not.
	Duration time.Duration
}

// Failed says whether the attempt failed: it was retried or parked.
func (o Outcome) Failed() bool { return o.Reason != ReasonNone }
