package sending

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Envelope is a message as it goes over the wire, headers and all.
type Envelope struct {
	Exchange     string
	RoutingKey   string
	NotMandatory bool
	amqp.Publishing

	// Lent says that Body is the caller's own, which it may change as soon as its call has returned.
	// So nobody looks at Body when the message has ended. It is not for asynchronous messages.
	Lent bool

	// Delayed is nil for a message without a delay. RoutingKey names the retry queue in which one
	// with a delay waits at first.
	Delayed *Delayed
}

// Failed is err with where the message was to go, as callers of a publisher see it.
func (e *Envelope) Failed(err error) error {
	if e.Delayed != nil && errors.Is(err, ErrUnroutable) {
		err = fmt.Errorf("%w: its consumer needs topology.Ladder in Spec.Delays", err)
	}
	return fmt.Errorf("publisher: publish to %s: %w", e.where(), err)
}

// where is where the message goes, as errors name it.
func (e *Envelope) where() string {
	switch {
	case e.Exchange != "":
		return fmt.Sprintf("exchange %q, key %q", foreign.Cut(e.Exchange, 60), foreign.Cut(e.RoutingKey, 60))
	case e.Delayed != nil:
		return fmt.Sprintf("queue %q with a delay, through %q", foreign.Cut(e.Delayed.Queue, 60), foreign.Cut(e.RoutingKey, 80))
	}
	return fmt.Sprintf("queue %q", foreign.Cut(e.RoutingKey, 60))
}

// Check says whether the Envelope can be sent without harm: what is too large for AMQP would break
// the channel or the connection for everybody on it. The error names the property; it is
// ErrTooLarge if all of them together do not fit a frame of the default size. A broker may have a
// lower frame_max: that is known when the message is written, and looked at then.
func (e *Envelope) Check() error {
	if err := e.short(); err != nil {
		return err
	}
	return e.fits(wire.MaxProperties)
}

// short says whether each of the shortStrings is as short as AMQP wants it.
func (e *Envelope) short() error {
	for _, p := range e.shortStrings() {
		if len(p.value) > wire.MaxName {
			return fmt.Errorf("%s %q is %d bytes long, AMQP allows %d", p.name, foreign.Cut(p.value, 40), len(p.value), wire.MaxName)
		}
	}
	return nil
}

func (e *Envelope) fits(limit int) error {
	if size := e.PropertiesSize(); size > limit {
		return &TooLargeError{Size: size, Limit: limit}
	}
	return nil
}

// Complete gives the message what every message is published with, where it has none of its own: an
// id, a timestamp and a content type.
func (e *Envelope) Complete(now time.Time) {
	if e.MessageId == "" {
		e.MessageId = NewID()
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = now.UTC()
	}
	e.ContentType = cmp.Or(e.ContentType, Bytes)
}

// Bytes is the content type of a body about which nothing is known.
const Bytes = "application/octet-stream"

type property struct{ name, value string }

// shortStrings are the properties and arguments that AMQP limits to 255 bytes. The first two are
// not in the header frame.
func (e *Envelope) shortStrings() [11]property {
	return [...]property{
		{"exchange", e.Exchange}, {"routing key", e.RoutingKey}, {"message id", e.MessageId},
		{"correlation id", e.CorrelationId}, {"reply-to", e.ReplyTo}, {"type", e.Type}, {"app id", e.AppId},
		{"user id", e.UserId}, {"content type", e.ContentType}, {"content encoding", e.ContentEncoding}, {"expiration", e.Expiration},
	}
}

// PropertiesSize is what the properties take on the wire; those that are not set take nothing.
func (e *Envelope) PropertiesSize() int { return wire.PropertiesSize(&e.Publishing) }

// NewID makes a message id: a UUIDv7, which sorts by time.
func NewID() string {
	id, err := uuid.NewV7()
	if err != nil { // no randomness: the program has worse problems, and an id it must have
		return uuid.NewString()
	}
	return id.String()
}
