package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// RelayConfig says how a Relay publishes. The zero RelayConfig suits most applications.
type RelayConfig struct {
	// Batch is how many rows without a key the relay takes at once at most, and the rows of how
	// many keys. Of each key it takes one row or several, at most twice Batch for all keys. It
	// takes no more when the bodies are 32 MiB together.
	//
	// Defaults to 500. At most 10,000.
	Batch int

	// Poll is how long the relay waits before it looks for rows again when there was none. Kick
	// wakes a relay of its own Box. A row is late by up to Poll when it was put by another process,
	// or with a delay.
	//
	// Defaults to 1 s. At least 10 ms.
	Poll time.Duration

	// MaxAttempts is how often the relay publishes a row that the broker refuses: no queue is bound
	// for its routing key, its exchange is missing, the user may not write to it, or the message is
	// too large. Then its state is Failed, until somebody retries, discards or cancels it. A row
	// with a key holds those behind it meanwhile. A queue that is full, or
	// does not confirm, never makes a row Failed. A lost connection is no attempt.
	//
	// Defaults to 15, which takes some half an hour. NoMaxAttempts means that the relay never gives
	// up.
	MaxAttempts int

	// Backoff returns how long after the attempt of this number, from 1 on, the next one is.
	//
	// Defaults to 1 s, which doubles up to 5 minutes.
	Backoff func(attempt int) time.Duration

	// Late is how long a row that is due may wait before the relay's part of package health is bad.
	//
	// Defaults to 1 minute.
	Late time.Duration

	// Publisher publishes the rows. It belongs to the connection of NewRelay, whose state tells the
	// relay when to publish. Of its methods PublishAsync is used. The relay does not stop it. Set
	// one to wrap it, as monitoring/otel does.
	//
	// Defaults to a publisher of the relay's own, with a window of three times Batch.
	Publisher publisher.Publisher

	// Logger takes what happens to the relay and to rows that are refused.
	//
	// Defaults to the fx app's *slog.Logger, or slog.Default.
	Logger *slog.Logger
}

// NoMaxAttempts is for RelayConfig.MaxAttempts: the relay never gives a row up.
const NoMaxAttempts = -1

// Defaults of RelayConfig.
const (
	DefaultBatch       = 500
	DefaultPoll        = time.Second
	DefaultMaxAttempts = 15
	DefaultLate        = time.Minute
)

const defaultMaxBody = sending.DefaultMaxBody

func (c RelayConfig) check() error {
	var errs []error
	if c.Batch < 0 || c.Batch > 10_000 {
		errs = append(errs, fmt.Errorf("outbox: RelayConfig.Batch is %d, want 1 to 10000, or 0 for %d", c.Batch, DefaultBatch))
	}
	if c.Poll != 0 && c.Poll < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("outbox: RelayConfig.Poll is %s, want 10ms or more, or 0 for %s", c.Poll, DefaultPoll))
	}
	if c.MaxAttempts < NoMaxAttempts {
		errs = append(errs, fmt.Errorf("outbox: RelayConfig.MaxAttempts is %d, want 1 or more, 0 for %d, or NoMaxAttempts", c.MaxAttempts, DefaultMaxAttempts))
	}
	if c.Late < 0 {
		errs = append(errs, fmt.Errorf("outbox: RelayConfig.Late is %s, want more than 0, or 0 for %s", c.Late, DefaultLate))
	}
	return errors.Join(errs...)
}

func (c RelayConfig) defaults() RelayConfig {
	c.Batch = cmp.Or(c.Batch, DefaultBatch)
	c.Poll = cmp.Or(c.Poll, DefaultPoll)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, DefaultMaxAttempts)
	c.Late = cmp.Or(c.Late, DefaultLate)
	if c.Backoff == nil {
		c.Backoff = doubling
	}
	return c
}
