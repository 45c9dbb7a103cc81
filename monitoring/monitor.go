package monitoring

import (
	"context"
	"fmt"
	"time"
)

// Monitor is called twice for every delivery, before its handler runs and after it was settled. It
// cannot change an outcome: the consumer catches and logs a panic in a Monitor.
//
// Both methods are called from many goroutines at once. They are called for every delivery, so they
// should not block: hand slow work to a goroutine.
type Monitor interface {
	// Begin is called before the handler runs. The handler and End get the context that Begin
	// returns, so it can hold a span or a start time. If Begin returns nil they get ctx.
	//
	// Begin is also called for a message that is parked without running its handler, because
	// its process died over it too often or its headers cannot be read. End follows at once.
	Begin(ctx context.Context, d Delivery) context.Context

	// End is called after the delivery was settled. The Outcome says what was done, why, and
	// how long the handler ran. ctx has the values of the context that Begin returned, and is
	// never cancelled.
	//
	// End is not called for a delivery whose session ended before it was settled: the broker
	// delivers that message again. An ack is sent up to a millisecond after End. If the session
	// ends in between, the message is delivered again although End was called.
	End(ctx context.Context, d Delivery, o Outcome)
}

// Delivery is a message as it was delivered to a consumer. The exchange, the routing key, the
// expiration and the user id are those with which it was first published, although a retried
// message returns with others.
//
// A handler may change Body and Headers in place: what is retried or parked is the message as it
// came. They are shared with monitors, which must not change them. Copy what you keep.
type Delivery struct {
	// Consumer is the name of the consumer, by default its queue's.
	Consumer string
	// Queue is the main queue that the consumer reads.
	Queue string

	// Attempt is 1 for the first attempt and MaxRetries + 1 for the last.
	Attempt int
	// MaxRetries is the consumer's Spec.MaxRetries.
	MaxRetries int

	// Body is the payload before it is decoded.
	Body []byte
	// Headers are the user's headers, of any AMQP type. The headers of the framework and of the
	// broker are left out.
	Headers map[string]any

	Exchange   string // to which the message was first published; "" is the default exchange
	RoutingKey string // with which the message was first published

	// MessageID tells messages apart. It is the property that the publisher has set. A message that
	// has none gets one when it is delivered, a random UUID, and MessageIDGiven is true. Monitors,
	// the log and all copies of the message have that id: when it is retried, parked and redriven.
	MessageID string
	// MessageIDGiven says that the publisher has set no MessageID, and a consumer has given one. No
	// two messages share such an id, even if they are equal otherwise. But it says nothing of what
	// was published: if the broker delivers the message again before it is settled, after a lost
	// connection for example, then it has another id. So a handler that recognises messages by their
	// ids recognises fewer of these, and takes no two for one.
	//
	// It is false for an id that was given by a version of this framework that did not mark it, or
	// that came through a consumer which drops the header bunnicula-message-id-given.
	MessageIDGiven bool

	CorrelationID   string
	ReplyTo         string
	Type            string
	AppID           string
	UserID          string
	ContentType     string
	ContentEncoding string
	Expiration      string // as first published, in milliseconds; "" is none
	Priority        uint8  // 0 to 255
	// Timestamp is when the message was published, in whole seconds. It is zero if the message
	// has none. A producer that writes milliseconds makes a year above 9999, which encoding/json
	// refuses.
	Timestamp time.Time

	// Since is the time from which the age of the message counts: its Timestamp, or, if that is
	// later, when it was due (publisher.Delay, publisher.At), or when it was redriven from the
	// error queue. It is zero if none of them is known. A Timestamp beyond the year 9999 counts as
	// unknown.
	Since time.Time

	// RedriveCount is how often the message was redriven from the error queue, 0 for never. All
	// attempts after a redrive have it, and the first of them is Attempt 1.
	RedriveCount int
	// RedriveID is the id of the last redrive, as its report and bunnicula errors redrive tell it.
	RedriveID string

	// Redelivered says that the broker has delivered this message before, and it was neither
	// acked nor copied then. A message that returns from a retry queue is a new one to the
	// broker.
	Redelivered bool
}

// LastAttempt says whether a Retry of this attempt would park the message.
func (d Delivery) LastAttempt() bool { return d.Attempt > d.MaxRetries }

// Action is what was done about a delivery.
type Action int

// The actions. The zero Action is none of them.
const (
	Acked       Action = iota + 1 // the handler succeeded; the message is gone
	Retried                       // the message waits in a retry queue; one attempt was used
	Snoozed                       // the message waits in a retry queue; no attempt was used
	Parked                        // the message was given up and is in the error queue
	Interrupted                   // shutdown cancelled the handler; the message is back
)

var actionNames = [...]string{Acked: "acked", Retried: "retried", Snoozed: "snoozed", Parked: "parked", Interrupted: "interrupted"}

// String is the action's name in lower case, as logs and metrics spell it.
func (a Action) String() string {
	if a < Acked || a > Interrupted {
		return fmt.Sprintf("action(%d)", int(a))
	}
	return actionNames[a]
}

// Reason is why a delivery was retried or parked. The copy has it in the header bunnicula-reason.
type Reason string

// The reasons of retried messages are ReasonRetry, ReasonTimeout and ReasonPanic. Those of parked
// messages are all but ReasonNone. A message whose last attempt timed out or panicked is parked with
// that reason. With ReasonRetry a message is parked only if its headers fill a frame of the broker,
// so that they leave no room for those of a retry.
const (
	ReasonNone Reason = "" // acked, snoozed or interrupted
	// Asked for by the handler, or by its zero Result.
	ReasonRetry Reason = "retry"
	// The handler says that it cannot succeed, or it was to wait and its headers left no room.
	ReasonError            Reason = "error"
	ReasonRetriesExhausted Reason = "retries-exhausted" // asked for by the handler, none left
	ReasonTimeout          Reason = "timeout"           // the handler ran too long, or returned Timeout
	ReasonPanic            Reason = "panic"             // a panic or runtime.Goexit
	ReasonUndecodable      Reason = "undecodable"       // the body does not decode, or the headers cannot be read
	ReasonCrashed          Reason = "crashed"           // its process died over it MaxCrashes times
	// The broker refuses each copy of it, for its size for example. Err says what the broker said,
	// and why the copy was made. The broker has moved the message itself, so it bears no
	// bunnicula-reason but the broker's x-death, "rejected".
	ReasonRefused Reason = "refused"
)

// Outcome is what became of a delivery.
type Outcome struct {
	// Action is what was done.
	Action Action

	// Reason is why the message was retried or parked, and else ReasonNone.
	Reason Reason

	// Err is the error of the handler or of the framework. It may be nil although the attempt
	// failed: Retry(nil) is allowed. And it may be there although nothing failed: SnoozeBecause
	// has it say why the message snoozes. See Failed.
	//
	// A consumer hands on an error that can be used in every way. If a method of the handler's
	// error panics, as that of a nil pointer does, if its chain is a circle, or if its text is no
	// UTF-8 or longer than 64 KiB, then Err has the text as far as it can be read, and errors.Is
	// and errors.As find in it what they would find in the handler's.
	Err error

	// Stack is the handler's stack if it panicked, called runtime.Goexit or did not return
	// after its timeout. Else it is empty.
	Stack string

	// Group is the same for all failures of one kind: a fingerprint of the consumer, the
	// error's type and its text without numbers and ids (header bunnicula-error-group). It is
	// empty if the attempt did not fail.
	Group string

	// Delay is how long a retried or snoozed message waits at least, and else 0.
	Delay time.Duration

	// Duration is how long the handler ran, with the decoding of the body, and 0 if it did not run.
	Duration time.Duration
}

// Failed says whether the message was retried or parked.
func (o Outcome) Failed() bool { return o.Reason != ReasonNone }
