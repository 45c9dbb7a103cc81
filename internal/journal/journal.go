// Package journal keeps records in a stream of RabbitMQ, and reads all of them from the beginning.
// A state is what somebody folds out of the records; nothing of it lives elsewhere.
package journal

import (
	"context"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Config says which stream it is, and how it is declared.
type Config struct {
	Stream   string
	Exchange string        // direct, bound to the stream by the key Stream; "" for the default exchange
	MaxAge   time.Duration // x-max-age, in whole seconds
	Segment  int64         // x-stream-max-segment-size-bytes: whole segments are dropped
	Logger   *slog.Logger
}

// Record is one record, as read. The body is the reader's.
type Record struct {
	Offset   int64
	At       time.Time // the timestamp property, by the writer's clock; zero if there is none
	Exchange string    // to which it was published
	ID       string    // message id
	Type     string    // the type property
	UserID   string    // the validated user id, if the writer has set one
	AppID    string
	ReplyTo  string
	Headers  map[string]any
	Body     []byte
}

// Draft is a record to be written.
type Draft struct {
	ID      string // message id
	Type    string
	ReplyTo string
	Headers map[string]any
	Body    []byte // JSON
	// Plain publishes by the default exchange, whatever Config.Exchange says.
	Plain bool
}

// Journal is safe for use by many goroutines at once. It is immutable, but for its pipeline.
type Journal struct{}

// New makes a Journal. It does not connect.
func New(conn transport.Connection, cfg Config) (*Journal, error) { panic("not yet") }

// Declare declares the stream, and its exchange and binding, unless they exist. It needs no
// permission to configure where they do.
func (j *Journal) Declare(ctx context.Context) error { panic("not yet") }

// Append writes records, and returns when the broker has confirmed all of them.
func (j *Journal) Append(ctx context.Context, drafts ...Draft) error { panic("not yet") }

// Fold reads every record from the first up to the end as it is now: up to a mark that Fold writes.
// Records that were confirmed before Fold was called are among them. See in order; see must not keep
// the channel waiting for long. It returns the offset behind the last, to go on with Follow.
func (j *Journal) Fold(ctx context.Context, see func(Record) error) (next int64, err error) {
	panic("not yet")
}

// Follow reads on from an offset until ctx ends, over all sessions. It returns ctx's error, see's,
// ErrGone if the stream was deleted, or what the broker refuses.
func (j *Journal) Follow(ctx context.Context, next int64, see func(Record) error) error {
	panic("not yet")
}

// Stop ends the pipeline.
func (j *Journal) Stop(ctx context.Context) error { panic("not yet") }
