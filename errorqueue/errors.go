package errorqueue

import (
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/archive"
)

// The errors of a call, besides the context's error and those of package connection. Match them
// with errors.Is.
var (
	// ErrNoQueue: the error queue does not exist.
	ErrNoQueue = errors.New("there is no such queue")

	// ErrNoFilter: a call that moves or deletes messages got neither a Filter nor All. Nothing was
	// done.
	ErrNoFilter = errors.New("no filter: set Filter, or All for every message")

	// ErrBusy: another reader holds the messages of this error queue. See [Config.Wait].
	ErrBusy = errors.New("somebody else reads this queue at the moment")

	// ErrHeldTooLong: a List took longer than Config.HoldFor. All messages that it has yielded are
	// valid.
	ErrHeldTooLong = errors.New("messages were held for too long")

	// ErrDeliveryLimit: a reading could make the broker drop messages. The call has read nothing,
	// or no further. See [Config.DeliveryLimit].
	ErrDeliveryLimit = errors.New("the queue drops what is given back more often than its delivery limit")

	// ErrFailedAgain: a redrive in batches was stopped, because too many of a batch failed again.
	ErrFailedAgain = errors.New("too many failed again")

	// ErrNotMoved: no message of a window could be published, so the rest was not tried. All of
	// them are where they were.
	ErrNotMoved = errors.New("no message could be published")

	// ErrGone: messages that a redrive had chosen were gone before it moved them. Another consumer
	// has taken them, or holds them.
	ErrGone = errors.New("messages that were chosen are not there any more")

	// ErrFormat: the file was not written by Export.
	ErrFormat = archive.ErrFormat
)

// UnreadableError says that a message of the queue cannot be read with AMQP 0-9-1, and that the
// messages behind it therefore could not be read either. An AMQP 1.0 client can publish such a
// message to RabbitMQ 4, with a UUID or a char among its application properties. The broker cannot
// convert it, and ends the connection with 541 whenever it should deliver it.
//
// All messages in front of it were read and processed. The message stays where it is, and is never
// counted as a message that was seen. An AMQP 1.0 client, or a shovel with an AMQP 1.0 source, can
// remove it. Each call that ends at it loses its TCP connection some five times, twelve at most.
type UnreadableError struct {
	// Position is its place in the queue, from 1, in the order of this call. A quorum queue changes
	// the place: each lost connection puts the message behind others that were delivered before.
	Position int

	// Behind is how many unread messages may be behind it, -1 if that is unknown.
	Behind int

	Err error // what ended the connection
}

func (e *UnreadableError) Error() string {
	behind := "an unknown number of messages"
	if e.Behind >= 0 {
		behind = counted(e.Behind, "message")
	}
	return fmt.Sprintf("the message at position %d cannot be read with AMQP 0-9-1, and %s may stand behind it (%v): take it out with an AMQP 1.0 client or shovel",
		e.Position, behind, e.Err)
}

// Unwrap returns what ended the connection.
func (e *UnreadableError) Unwrap() error { return e.Err }

// MissingTargetError says that messages were to go to a queue that does not exist. Nothing was
// moved.
type MissingTargetError struct {
	Queue    string
	Messages int    // that were to go there
	Source   string // how the queue is known: see Target.Source
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

// FieldError says which option, or which term of a filter, is wrong.
type FieldError struct {
	Field string
	Value string
	Want  string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s is %q, want %s", e.Field, e.Value, e.Want)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
