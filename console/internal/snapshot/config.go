package snapshot

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/applog"
)

// Queue is an open error queue, such as *errorqueue.Queue.
type Queue interface {
	List(context.Context, errorqueue.ListOptions) iter.Seq2[errorqueue.Message, error]
	Status(context.Context) (errorqueue.Status, error)
	Close(context.Context)
}

// Config configures a Store. Open must be set.
type Config struct {
	// Open opens an error queue by the name that a viewer gives.
	Open func(ctx context.Context, name string) (Queue, error)

	// Memory is how many bytes the rows of all snapshots take at most, by estimate. Groups and
	// timelines stay exact beyond it.
	//
	// Defaults to 256 MiB.
	Memory int64

	// SpoolDir is the directory of the file that holds messages with their bodies, until the
	// snapshot is dropped. With "" there is no file: 20 messages of each group are in memory.
	SpoolDir string

	// SpoolSize is how many bytes the files of all snapshots have at most.
	//
	// Defaults to 2 GiB.
	SpoolSize int64

	// AutoDepth is how many messages a queue may have so that opening it begins a pass. With more
	// a pass begins by Reading.Begin.
	//
	// Defaults to 20,000. Negative is none.
	AutoDepth int

	// ByHand says of a queue that no pass is to begin by itself, because readings are scarce. Nil
	// is of no queue.
	ByHand func(queue string) bool

	// Busy says that an operation runs on a queue, so that no pass is to begin by itself: the readings
	// of the operation are shown, see Reading.Observer. Nil is of no queue.
	Busy func(queue string) bool

	// Index has the header. and body. terms by which rows are found without a pass. Nil is none.
	Index *errorqueue.Values

	// Redact changes a message before anything of it is kept. The mark stays. Nil changes nothing.
	// Nothing is kept of a message over which it panics.
	Redact func(*errorqueue.Message)

	// Log defaults to slog.Default().
	Log *slog.Logger
}

const (
	defaultMemory    = 256 << 20
	defaultSpool     = 2 << 30
	defaultAutoDepth = 20_000
)

func (c Config) resolve() Config {
	c.Memory = cmp.Or(c.Memory, defaultMemory)
	c.SpoolSize = cmp.Or(c.SpoolSize, defaultSpool)
	c.AutoDepth = cmp.Or(c.AutoDepth, defaultAutoDepth)
	c.Log = applog.First(c.Log)
	if c.ByHand == nil {
		c.ByHand = func(string) bool { return false }
	}
	if c.Busy == nil {
		c.Busy = func(string) bool { return false }
	}
	if c.Redact == nil {
		c.Redact = func(*errorqueue.Message) {}
	}
	return c
}

// readerWait is how long a pass waits for its turn: a redrive that runs may take long.
const readerWait = 30 * time.Minute

// Broker opens error queues on a broker, by the names that [errorqueue.Named] understands.
func Broker(conn *connection.Connection, log *slog.Logger) func(context.Context, string) (Queue, error) {
	return func(ctx context.Context, name string) (Queue, error) {
		cfg := errorqueue.Named(name)
		cfg.Wait = readerWait
		q, err := errorqueue.Open(ctx, conn, cfg, log)
		if err != nil {
			return nil, err
		}
		return q, nil
	}
}
