package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Errors of links and sessions. Their texts begin with the public package's name.
var (
	// ErrClosed is returned after Stop or Close.
	ErrClosed = errors.New("connection: stopped")

	// ErrUnreadable ends a session whose broker sent what the client library cannot read. The
	// broker delivers that message again, with the same result. So a consumer that has met one
	// should have a dedicated connection.
	ErrUnreadable = errors.New("connection: the client cannot read what the broker sent")

	// ErrNoChannel is wrapped by the error for a channel that the broker does not let this user
	// open: a limit of the user's channels is reached. The session goes on with those that it has.
	ErrNoChannel = errors.New("connection: the broker allows this user no more channels")

	// ErrNoReply ends a session whose broker does not answer a request.
	ErrNoReply = errors.New("connection: the broker does not answer")
)

// RefusedError says that the broker refuses the connection until somebody changes something: a
// wrong user, password or vhost, or a certificate that does not fit.
type RefusedError struct {
	Addr string // host:port
	What string // for people, with a remedy
	Err  error  // *amqp.Error, or the error of crypto/tls
}

func (e *RefusedError) Error() string { return fmt.Sprintf("broker %s refused us: %s", e.Addr, e.What) }
func (e *RefusedError) Unwrap() error { return e.Err }

// Permanent says whether err is a refusal that does not go away by waiting.
func Permanent(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// TooManyChannels says whether the broker has closed a connection because its user has opened more
// channels than a limit allows. Whoever opens none meanwhile can go on with the next session.
func TooManyChannels(refused *amqp.Error) bool {
	return refused.Code == amqp.NotAllowed && strings.Contains(refused.Reason, "number of channels")
}

// SecretRefused says whether the broker has closed a connection because it did not take the secret
// that should replace the one of its login. The next session logs in with another one, or tells
// that it was refused.
func SecretRefused(refused *amqp.Error) bool {
	return refused.Code == amqp.NotAllowed && (strings.Contains(refused.Reason, "Secret update failed") || strings.Contains(refused.Reason, "New secret was refused"))
}

// WhyEnded returns why a session has ended whose channel has ended, nil if the session goes on. A
// channel's end may be known before the session's, so WhyEnded waits for that, until ctx ends or for
// within at most.
func WhyEnded(ctx context.Context, s Session, within time.Duration) error {
	select {
	case <-s.Done():
	case <-ctx.Done():
	case <-time.After(within):
	}
	return s.Err()
}

// EndedByMessage says whether a message has ended the session, and would end the next one too: the
// client cannot read it, or the broker cannot convert it (541).
func EndedByMessage(err error) bool {
	if errors.Is(err, ErrUnreadable) {
		return true
	}
	var refused *amqp.Error
	return errors.As(err, &refused) && refused.Server && refused.Code == amqp.InternalError
}
