package operation

import "errors"

// The errors of a Runner. Match them with errors.Is.
var (
	// ErrUsed: an operation with this ID was started before.
	ErrUsed = errors.New("this plan was used already")

	// ErrBusy: an operation runs on this queue.
	ErrBusy = errors.New("an operation runs on this queue")

	// ErrJournal: the intent could not be written, so nothing was done.
	ErrJournal = errors.New("the journal cannot be written, so nothing was done")

	// ErrClosed: the Runner is closed.
	ErrClosed = errors.New("the console is closed")

	// ErrLocked: another process has the directory.
	ErrLocked = errors.New("another process uses this directory")

	// ErrUnknown: there is no such operation.
	ErrUnknown = errors.New("there is no such operation")

	// ErrOver: the operation does not run.
	ErrOver = errors.New("the operation is over")

	// ErrNoFile: the operation has no file, or its time is over.
	ErrNoFile = errors.New("there is no such file, or its time is over")
)

// errStopped ends the context of an operation that somebody stops.
var errStopped = errors.New("it was stopped")
