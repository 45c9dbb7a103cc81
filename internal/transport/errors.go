package transport

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Errors of links and sessions. Their texts begin with the public package's name.
var (
	// ErrClosed is returned after a stop.
	ErrClosed = errors.New("connection: stopped")

	// ErrUnreadable ends a session whose broker sent what the client library cannot read. The
	// broker delivers that message again, to the same end, so a consumer that has met this is
	// better on a dedicated connection.
	ErrUnreadable = errors.New("connection: the client cannot read what the broker sent")

	// ErrNoReply ends a session whose broker does not answer a request.
	ErrNoReply = errors.New("connection: the broker does not answer")
)

// RefusedError says that the broker does not let us in, and will not until somebody
// changes something: a wrong user, password or vhost, or a certificate that does not fit.
type RefusedError struct {
	Addr string // host:port
	What string // for people, with what to do
	Err  error  // *amqp.Error, or what crypto/tls said
}

func (e *RefusedError) Error() string { return fmt.Sprintf("broker %s refused us: %s", e.Addr, e.What) }
func (e *RefusedError) Unwrap() error { return e.Err }

// Permanent says whether err is a refusal that waiting does not mend.
func Permanent(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// EndedByMessage says whether a session ended with an error that a message causes at each delivery: the client cannot read
// it, or the broker cannot convert it for AMQP 0-9-1 (541).
func EndedByMessage(err error) bool {
	if errors.Is(err, ErrUnreadable) {
		return true
	}
	var refused *amqp.Error
	return errors.As(err, &refused) && refused.Server && refused.Code == amqp.InternalError
}
