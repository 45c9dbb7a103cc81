package operation

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/applog"
)

// Queue is an open error queue, such as *errorqueue.Queue.
type Queue interface {
	Redrive(context.Context, errorqueue.RedriveOptions) (errorqueue.RedriveReport, error)
	Discard(context.Context, errorqueue.DiscardOptions) (errorqueue.DiscardReport, error)
	Export(context.Context, io.Writer, errorqueue.ExportOptions) (int, error)
	Import(context.Context, io.Reader, errorqueue.ImportOptions) (errorqueue.ImportReport, error)
	Close(context.Context)
}

// Config configures a Runner. Queue must be set. A hook that panics is logged, and called no more
// by that operation.
type Config struct {
	// Dir is the directory of the journal. It is made if it is not there. One process at a time has
	// it.
	//
	// Defaults to none: operations are in memory only, and are forgotten with the process.
	Dir string

	// Queue opens an error queue. Its Wait must be long, since a reading that runs goes first.
	Queue func(ctx context.Context, name string) (Queue, error)

	// Observe is asked once for each operation, by the name of its queue, for what gets each
	// message that the operation reads: see errorqueue.RedriveOptions. Nil gets none.
	Observe func(queue string) func(*errorqueue.Message)

	// Observed is told that a reading of which Observe was told has met all messages of its queue.
	Observed func(queue string)

	// Settled is told of each message that an operation has taken out of its error queue.
	Settled func(queue, mark string)

	// Busy is told when an operation begins to use a queue, and when it has ended.
	Busy func(queue string, busy bool)

	// Ended is told how each operation has ended, before Busy is. It is not told of an operation
	// that is Interrupted.
	Ended func(State)

	// Log defaults to slog.Default().
	Log *slog.Logger
}

func (c Config) resolve() (Config, error) {
	if c.Queue == nil {
		return c, errors.New("operation: Queue is nil")
	}
	if c.Observe == nil {
		c.Observe = func(string) func(*errorqueue.Message) { return nil }
	}
	if c.Observed == nil {
		c.Observed = func(string) {}
	}
	if c.Settled == nil {
		c.Settled = func(string, string) {}
	}
	if c.Busy == nil {
		c.Busy = func(string, bool) {}
	}
	if c.Ended == nil {
		c.Ended = func(State) {}
	}
	c.Log = applog.First(c.Log)
	return c, nil
}
