package snapshot

import "errors"

// The errors of a Snapshot. Match them with errors.Is.
var (
	// ErrNotIndexed: the filter looks at headers or bodies which Config.Index does not have, so that
	// only a pass can see them.
	ErrNotIndexed = errors.New("header. and body. terms need a reading of their own, unless IndexKeys names them")

	// ErrUnknown: no row has this mark, or no group this key.
	ErrUnknown = errors.New("it is not in this reading of the queue")

	// ErrNotKept: the message was read, but it is not in the spool.
	ErrNotKept = errors.New("the message was not kept")

	// ErrLoads: so many whole messages of the queue are waited for that this one has to wait.
	ErrLoads = errors.New("too many messages are being loaded, try again")

	// ErrClosed: the Store, or the Reading, is closed.
	ErrClosed = errors.New("the reading is closed")
)
