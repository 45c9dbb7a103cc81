package publisher

import (
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// The errors of a publish, besides the caller's own context, Config.Timeout and bad input. Match
// them with errors.Is, and a *RefusedError or a *BatchError with errors.As.
var (
	// ErrUnroutable: the exchange has no queue for the routing key. The broker dropped the message.
	// Of a message with a Delay: the queue's consumer does not have topology.Ladder.
	ErrUnroutable = sending.ErrUnroutable

	// ErrNacked: the broker refused the message, as a full queue with x-overflow=reject-publish
	// does. Trying later may work. The broker does not have the message, with one exception: when
	// the node of a cluster that leads the queue dies, RabbitMQ 3.10 nacks the messages in flight,
	// and may have kept some of them.
	ErrNacked = sending.ErrNacked

	// ErrUnconfirmed: the message was sent, and the broker had not confirmed it when the caller's
	// context or Config.Timeout ended, or the publisher stopped. The broker may have it. If it must
	// not be missing, publish it again with the same message id.
	ErrUnconfirmed = sending.ErrUnconfirmed

	// ErrTooLarge: the body is above MaxBody, or headers and properties do not fit a frame: they
	// may have 128 KiB together, or less if the broker has a lower frame_max. The message was not
	// sent.
	ErrTooLarge = sending.ErrTooLarge

	// ErrNotSent: another message of the batch is invalid, so none was sent. Nothing is wrong with
	// this message.
	ErrNotSent = sending.ErrNotSent

	// ErrClosed: the publisher has been stopped. The message was not sent.
	ErrClosed = sending.ErrClosed
)

// RefusedError says that the broker closed the channel or the connection because of this message:
// an exchange that does not exist (404), no permission (403), a property that it does not accept
// (406), a frame that it cannot read (501, 502).
//
//	Code int
//	Text string // the broker's
type RefusedError = sending.RefusedError

// BatchError says which messages of a batch failed, and why. All messages that it does not list are
// confirmed.
type BatchError struct {
	Errs map[int]error // by index in the batch
	Of   int           // the size of the batch
}

func (e *BatchError) Error() string {
	first := -1 // index of the first message that is itself invalid
	for i, err := range e.Errs {
		if !errors.Is(err, ErrNotSent) && (first < 0 || i < first) {
			first = i
		}
	}
	return fmt.Sprintf("publisher: %d of %d messages failed; index %d: %v", len(e.Errs), e.Of, first, e.Errs[first])
}

// Unwrap lets errors.Is and errors.As see each failure.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, 0, len(e.Errs))
	for _, err := range e.Errs {
		errs = append(errs, err)
	}
	return errs
}
