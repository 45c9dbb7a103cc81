package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// Config says what Put makes of a payload, and how long marks are kept. The zero Config suits most
// applications.
type Config struct {
	// Codec encodes payloads.
	//
	// Defaults to publisher.JSON.
	Codec publisher.Codec

	// Exchange is the exchange of messages without the option publisher.Exchange.
	//
	// Defaults to "", the default exchange: the routing key is the queue.
	Exchange string

	// MaxBody is the largest body, in bytes.
	//
	// Defaults to 16 MiB.
	MaxBody int

	// Capture returns headers that Put adds, such as a request id that the context has. Restore
	// brings them back where the message is handled. An option that sets the same header wins.
	//
	// Defaults to none.
	Capture func(ctx context.Context) map[string]any

	// Restore returns the context of a handler, with what Capture has put into the headers.
	// Box.Restore calls it.
	//
	// Defaults to the handler's own context.
	Restore func(ctx context.Context, headers map[string]any) context.Context

	// Keep is how long after its publish Once recognises a message that was handled. Its marks are
	// kept for a day more. The rows of a job are kept for Keep after the last of them is done.
	//
	// Defaults to 7 days. At least 1 s.
	Keep time.Duration
}

// DefaultKeep is the Keep of a Config that sets none.
const DefaultKeep = 7 * 24 * time.Hour

// Box is an outbox and an inbox in one database. It is safe for use by many goroutines at once.
type Box struct {
	db      *sql.DB // immutable
	dialect Dialect // immutable
	cfg     Config  // immutable, with its defaults

	wake    chan struct{} // Kick puts a value into it, and the relays of this Box take it
	checked checked       // whether the tables and the rights were seen
	counts  counts        // what relays in this process have done
	gauges  gauges        // what Metrics tells of the rows
	// Put counts rows in it, so that Once knows whether its handler has put some
	puts atomic.Int64
}

// New makes a Box of a database. It does not connect. The error has a line for each thing that is
// wrong.
func New(db *sql.DB, dialect Dialect, cfg ...Config) (*Box, error) {
	var errs []error
	if db == nil {
		errs = append(errs, errors.New("outbox: the database is nil"))
	}
	errs = append(errs, dialect.check())
	if len(cfg) > 1 {
		errs = append(errs, fmt.Errorf("outbox: %d Configs, want one at most", len(cfg)))
	}
	var c Config
	if len(cfg) > 0 {
		c = cfg[0]
	}
	errs = append(errs, c.check())
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Box{db: db, dialect: dialect, cfg: c.defaults(), wake: make(chan struct{}, 1)}, nil
}
