package publisher

import (
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// What a publish can end with, beside the caller's own context and bad input. Match
// them with errors.Is, and a *RefusedError or a *BatchError with errors.As.
var (
	// ErrUnroutable: the exchange has no queue for the routing key. Nothing was kept.
	ErrUnroutable = sending.ErrUnroutable

	// ErrNacked: the broker could not take the message, as a full queue
	// with x-overflow=reject-publish does. Trying later may work. It is not there, with one exception: when the node of a
	// cluster that leads the queue dies, RabbitMQ 3.10 nacks what is on its way, and may have kept some of it.
	ErrNacked = sending.ErrNacked

	// ErrUnconfirmed: it was sent, and the broker has not said what became of it
	// by the time that the caller's context ended or the publisher stopped. It may be there.
	// Publish it again with the same message id if it must not be missing.
	ErrUnconfirmed = sending.ErrUnconfirmed

	// ErrTooLarge: the body or the properties are above their limit. It was not sent.
	ErrTooLarge = sending.ErrTooLarge

	// ErrNotSent: nothing is wrong with this message of a batch, but with another, and so none was sent.
	ErrNotSent = sending.ErrNotSent

	// ErrClosed: the publisher has been stopped. It was not sent.
	ErrClosed = sending.ErrClosed
)

// RefusedError says that the broker closed the channel or the connection because of
// this message: an exchange that does not exist (404), no permission (403), a property that
// it does not accept (406), a frame that it cannot read (501, 502).
//
//	Code int
//	Text string // the broker's
type RefusedError = sending.RefusedError

// BatchError tells which messages of a batch failed, and why each did. Those that it does not list are
// confirmed.
type BatchError struct {
	Errs map[int]error // by index in the batch
	Of   int           // the size of the batch
}

func (e *BatchError) Error() string {
	first := -1 // of those that are wrong themselves
	for i, err := range e.Errs {
		if !errors.Is(err, ErrNotSent) && (first < 0 || i < first) {
			first = i
		}
	}
	return fmt.Sprintf("publisher: %d of %d messages failed; index %d: %v", len(e.Errs), e.Of, first, e.Errs[first])
}

// Unwrap lets errors.Is and errors.As look at each failure.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, 0, len(e.Errs))
	for _, err := range e.Errs {
		errs = append(errs, err)
	}
	return errs
}
