package journal

import (
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/sending"
)

var (
	// ErrGone says that the stream does not exist, or that it was deleted since the reader began
	// and is another one now. Whoever has declared and folded it again can go on.
	ErrGone = errors.New("the stream does not exist, or not any more")

	// ErrNoStream says that the queue of that name is no stream.
	ErrNoStream = errors.New("the queue is no stream")
)

// DeniedError says which permission the login does not have.
type DeniedError struct {
	Permission string // "configure", "write" or "read"
	Kind       string // "queue" or "exchange"
	Name       string // as in permissions: the default exchange is amq.default
	Err        error  // the broker's
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("no permission to %s %s %q: %v", e.Permission, e.Kind, foreign.Line(e.Name, 80), e.Err)
}

// Unwrap is the broker's refusal.
func (e *DeniedError) Unwrap() error { return e.Err }

// refusal is the broker's, nil if err is none.
func refusal(err error) *amqp.Error {
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Server {
		return refused
	}
	return nil
}

func isRefused(err error, code int) bool {
	refused := refusal(err)
	return refused != nil && refused.Code == code
}

// isMissing says whether there is no such queue. The same code comes for one that cannot be reached
// for now.
func isMissing(err error) bool {
	return isRefused(err, amqp.NotFound) && strings.Contains(refusal(err).Reason, "no queue")
}

// whyNotRead is the error for a subscription that the broker refuses for good; nil for any other
// reason.
func whyNotRead(stream string, err error) error {
	refused := refusal(err)
	switch {
	case refused == nil:
		return nil
	case refused.Code == amqp.AccessRefused:
		return &DeniedError{"read", "queue", stream, refused}
	case isMissing(err):
		return fmt.Errorf("%w: %w", ErrGone, refused)
	case strings.Contains(refused.Reason, "running replica"): // RabbitMQ 4 has not started the stream yet
		return nil
	case refused.Code == amqp.PreconditionFailed, refused.Code == amqp.ResourceLocked:
		return refused
	}
	return nil
}

// refusedWrite adds to the error of a record what it is about.
func (j *Journal) refusedWrite(exchange string, err error) error {
	var refused *sending.RefusedError
	switch {
	case errors.Is(err, sending.ErrUnroutable):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case errors.As(err, &refused) && refused.Code == amqp.AccessRefused:
		if exchange == "" {
			exchange = "amq.default"
		}
		return &DeniedError{"write", "exchange", exchange, refused}
	}
	return err
}

// name is the stream's, for an error.
func (j *Journal) name() string { return foreign.Line(j.cfg.Stream, 80) }
