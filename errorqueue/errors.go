package errorqueue

import (
	"errors"
	"fmt"
)

// What a call can end with, beside the context's error and those of connection. Match them with errors.Is.
var (
	// ErrNoQueue: the error queue does not exist.
	ErrNoQueue = errors.New("there is no such queue")

	// ErrNoFilter: neither a Filter nor All was given to what moves or deletes messages. Nothing was done.
	ErrNoFilter = errors.New("no filter: set Filter, or All for every message")

	// ErrBusy: somebody else reads this error queue at the moment, and holds its messages. See [Config.Wait].
	ErrBusy = errors.New("somebody else reads this queue at the moment")

	// ErrHeldTooLong: a List lasted longer than Config.HoldFor. What came before it is good.
	ErrHeldTooLong = errors.New("messages were held for too long")

	// ErrDeliveryLimit: one more reading could make the broker drop a message. Nothing more was read. See [Config.MaxDeliveries].
	ErrDeliveryLimit = errors.New("the broker may drop what is delivered more often")

	// ErrSilent: the queue has messages, and the broker delivers none. A consumer with a higher priority, or a
	// single active one, may take them.
	ErrSilent = errors.New("the broker delivers nothing")

	// ErrFailedAgain: a redrive in batches was stopped, because too many of a batch failed again.
	ErrFailedAgain = errors.New("too many failed again")

	// ErrNotMoved: nothing of a window could be published, so the rest was not tried. All of that is still where it was.
	ErrNotMoved = errors.New("no message could be published")

	// ErrGone: messages that a redrive had chosen were not there any more when it came to move them. Somebody else has taken them, or holds them.
	ErrGone = errors.New("messages that were chosen are not there any more")

	// ErrFormat: a file is not what Export writes.
	ErrFormat = errors.New("not an export of an error queue")
)

// MissingTargetError says that messages were to go to a queue that does not exist. Nothing was moved.
type MissingTargetError struct {
	Queue    string
	Messages int    // that were to go there
	Source   string // how the queue is known
}

func (e *MissingTargetError) Error() string {
	return fmt.Sprintf("queue %q does not exist, and %d messages were to go there (it is known from %s): declare it, name another with To, or leave them out with a Filter",
		e.Queue, e.Messages, e.Source)
}

// LineError says which line of a file is wrong. Lines are counted from 1.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// FieldError says which option or term of a filter is wrong.
type FieldError struct {
	Field string
	Value string
	Want  string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s is %q, want %s", e.Field, e.Value, e.Want)
}
