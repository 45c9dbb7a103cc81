package snapshot

import "errors"

// The errors of a Snapshot. Match them with errors.Is.
var (
	// ErrNotIndexed: the filter looks at headers or bodies, which only a pass can see.
	ErrNotIndexed = errors.New("header. and body. terms need a reading of the queue")

	// ErrUnknown: no row has this mark, or no group this key.
	ErrUnknown = errors.New("it is not in this reading of the queue")

	// ErrNotKept: the message was read, but it is not in the spool.
	ErrNotKept = errors.New("the message was not kept")

	// ErrClosed: the Store is closed.
	ErrClosed = errors.New("the store is closed")
)
