package sending

import (
	"cmp"
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
}

// Failed is err with where the message was to go, as callers of a publisher see it.
func (e *Envelope) Failed(err error) error {
	where := fmt.Sprintf("queue %q", foreign.Cut(e.RoutingKey, 60))
	if e.Exchange != "" {
		where = fmt.Sprintf("exchange %q, key %q", foreign.Cut(e.Exchange, 60), foreign.Cut(e.RoutingKey, 60))
	}
	return fmt.Errorf("publisher: publish to %s: %w", where, err)
}

// MaxProperties is how many bytes of headers and properties fit the content header frame of the
// size that we agree on with the broker (AMQP 0-9-1, section 4.2.6): 128 KiB, less the frame's own
// 8 bytes and the header's fixed 14. See [Envelope.PropertiesSize].
const MaxProperties = 128*1024 - 8 - 14

// Check says whether the Envelope can be sent without harm: what is too large for AMQP would break
// the channel or the connection for everybody on it. The error names the property; it is
// ErrTooLarge if all of them together do not fit.
func (e *Envelope) Check() error {
	for _, p := range e.shortStrings() {
		if len(p.value) > wire.MaxName {
			return fmt.Errorf("%s %q is %d bytes long, AMQP allows %d", p.name, foreign.Cut(p.value, 40), len(p.value), wire.MaxName)
		}
	}
	return e.fits(MaxProperties)
}

func (e *Envelope) fits(limit int) error {
	if size := e.PropertiesSize(); size > limit {
		return fmt.Errorf("%w: headers and properties are %d bytes, at most %d fit", ErrTooLarge, size, limit)
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
func (e *Envelope) shortStrings() []property {
	return []property{
		{"exchange", e.Exchange}, {"routing key", e.RoutingKey}, {"message id", e.MessageId},
		{"correlation id", e.CorrelationId}, {"reply-to", e.ReplyTo}, {"type", e.Type}, {"app id", e.AppId},
		{"user id", e.UserId}, {"content type", e.ContentType}, {"content encoding", e.ContentEncoding}, {"expiration", e.Expiration},
	}
}

// PropertiesSize is what the properties take on the wire; those that are not set take nothing.
func (e *Envelope) PropertiesSize() int {
	size := 0
	if len(e.Headers) > 0 {
		size += wire.Size(e.Headers)
	}
	for _, p := range e.shortStrings()[2:] {
		if p.value != "" {
			size += 1 + len(p.value)
		}
	}
	if e.DeliveryMode > 0 {
		size++
	}
	if e.Priority > 0 {
		size++
	}
	if !e.Timestamp.IsZero() {
		size += 8
	}
	return size
}

// NewID makes a message id: a UUIDv7, which sorts by time.
func NewID() string {
	id, err := uuid.NewV7()
	if err != nil { // no randomness: the program has worse problems, and an id it must have
		return uuid.NewString()
	}
	return id.String()
}
