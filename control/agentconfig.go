package control

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/journal"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// ControlStream is the stream of orders, and the exchange that they are published to, unless
// FleetConfig.Stream and AgentConfig.Stream name another.
const ControlStream = "bunnicula-control"

const (
	defaultMaxAge   = 7 * 24 * time.Hour
	minMaxAge       = time.Second
	maxMaxAge       = 10 * 365 * 24 * time.Hour
	defaultPatience = 10 * time.Second
	segment         = 1 << 20 // bytes; the broker drops whole segments, and never the last one
)

// AgentConfig says which stream has the orders. The zero AgentConfig suits most apps.
type AgentConfig struct {
	// Stream is the name of the stream, and of the direct exchange that orders are published to.
	// All processes that obey the same orders have the same.
	//
	// Defaults to ControlStream.
	Stream string

	// MaxAge is how long the broker keeps records, if this process declares the stream: whole
	// seconds, 1 s to 10 years. Orders that stand longer are written again.
	//
	// Defaults to 7 days.
	MaxAge time.Duration

	// Patience is how long a consumer waits at its start until the orders are known, while the
	// broker can be reached. Then it works without.
	//
	// Defaults to 10 s.
	Patience time.Duration

	// Logger writes that orders may be missed, and why.
	//
	// Defaults to slog.Default, and in an fx app to the app's *slog.Logger.
	Logger *slog.Logger
}

// resolve checks the fields and sets the defaults. The error has a line for each field that is
// wrong.
func (c AgentConfig) resolve() (AgentConfig, error) {
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.Logger = applog.First(c.Logger)
	var err error
	c.Stream, c.MaxAge, err = checkStream("AgentConfig", c.Stream, c.MaxAge)
	if c.Patience < time.Millisecond {
		err = errors.Join(err, fmt.Errorf("control: AgentConfig.Patience is %s, want 1ms or more, or 0 for %s", c.Patience, defaultPatience))
	}
	return c, err
}

func checkStream(of, stream string, maxAge time.Duration) (string, time.Duration, error) {
	stream, maxAge = cmp.Or(stream, ControlStream), cmp.Or(maxAge, defaultMaxAge)
	var errs []error
	if len(stream) > maxName {
		errs = append(errs, fmt.Errorf("control: %s.Stream is %d bytes long, AMQP allows %d", of, len(stream), maxName))
	}
	if maxAge < minMaxAge || maxAge > maxMaxAge || maxAge%time.Second != 0 {
		errs = append(errs, fmt.Errorf("control: %s.MaxAge is %s, want whole seconds, %s to %s, or 0 for %s", of, maxAge, minMaxAge, maxMaxAge, defaultMaxAge))
	}
	return stream, maxAge, errors.Join(errs...)
}

func openJournal(conn transport.Connection, stream string, maxAge time.Duration, log *slog.Logger) (*journal.Journal, error) {
	return journal.New(conn, journal.Config{Stream: stream, Exchange: stream, MaxAge: maxAge, Segment: segment, Logger: log})
}
