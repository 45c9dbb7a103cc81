package publisher

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Message is one message of a batch.
type Message struct {
	RoutingKey string
	Payload    any
	Options    []Option
}

// Envelope is a message as it goes over the wire, headers and all. See [Sender].
type Envelope struct {
	Exchange     string
	RoutingKey   string
	NotMandatory bool
	amqp.Publishing
}

func (e *Envelope) where() string {
	if e.Exchange == "" {
		return fmt.Sprintf("queue %q", wire.Cut(e.RoutingKey, 60))
	}
	return fmt.Sprintf("exchange %q, key %q", wire.Cut(e.Exchange, 60), wire.Cut(e.RoutingKey, 60))
}

// MaxProperties is how many bytes of headers and properties fit the content header frame of the size that
// we agree on with the broker (AMQP 0-9-1, section 4.2.6): 128 KiB, less the frame's own 8 bytes and
// the header's fixed 14. See [Envelope.PropertiesSize].
const MaxProperties = 128*1024 - 8 - 14

// roomForOurs is what a Client leaves for what consumers, and brokers, add to a message that fails.
const roomForOurs = 4 << 10

// Check says whether the Envelope can be sent without harm: what is too large for AMQP
// would break the channel or the connection for everybody on it. The error names the property; it is
// ErrTooLarge if all of them together do not fit.
func (e *Envelope) Check() error {
	for _, p := range e.shortStrings() {
		if len(p.value) > wire.MaxName {
			return fmt.Errorf("%s %q is %d bytes long, AMQP allows %d", p.name, wire.Cut(p.value, 40), len(p.value), wire.MaxName)
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

// Complete gives the message what every message is published with, where it has none of its own: an id, a
// timestamp and a content type.
func (e *Envelope) Complete(now time.Time) {
	if e.MessageId == "" {
		e.MessageId = NewID()
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = now.UTC()
	}
	e.ContentType = cmp.Or(e.ContentType, Raw.ContentType())
}

type property struct{ name, value string }

// shortStrings are the properties and arguments that AMQP limits to 255 bytes. The first two are not in the
// header frame.
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

// draft is a message while its options are applied.
type draft struct {
	env     Envelope
	headers map[string]any
	codec   Codec
}

// Build makes the Envelope that a Client with this Config publishes, or the error that it
// returns for bad input; only the connection's name as app id is missing. It needs no
// connection: publishertest.Recorder is made of it.
func (c Config) Build(routingKey string, payload any, opts ...Option) (Envelope, error) {
	c = c.defaults()
	env, err := c.build(routingKey, payload, opts)
	if err == nil {
		err = env.Check()
	}
	if err == nil {
		err = env.fits(MaxProperties - roomForOurs)
	}
	if err != nil {
		return Envelope{}, failed(&env, err)
	}
	return env, nil
}

// BuildBatch builds each message of a batch. If one is bad the error is a *BatchError that lists them
// all, the good ones with ErrNotSent.
func (c Config) BuildBatch(messages ...Message) ([]Envelope, error) {
	envs := make([]Envelope, len(messages))
	failures := BatchError{Errs: map[int]error{}, Of: len(messages)}
	for i, m := range messages {
		env, err := c.Build(m.RoutingKey, m.Payload, m.Options...)
		if err != nil {
			failures.Errs[i] = err
		}
		envs[i] = env
	}
	if len(failures.Errs) == 0 {
		return envs, nil
	}
	for i := range envs {
		if failures.Errs[i] == nil {
			failures.Errs[i] = failed(&envs[i], ErrNotSent)
		}
	}
	return nil, &failures
}

func (c *Config) build(routingKey string, payload any, opts []Option) (Envelope, error) {
	d := draft{codec: c.Codec, env: Envelope{Exchange: c.Exchange, RoutingKey: routingKey}}
	d.env.DeliveryMode = amqp.Persistent
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o(&d); err != nil {
			return d.env, err
		}
	}
	if d.codec == nil {
		return d.env, errors.New("codec is nil")
	}
	contentType := d.codec.ContentType()
	if body, ok := payload.([]byte); ok {
		// Copied, because it may still be on its way when the caller, whose context has ended, uses
		// its buffer for something else.
		d.env.Body, contentType = bytes.Clone(body), Raw.ContentType()
	} else {
		body, err := encode(d.codec, payload)
		if err != nil {
			return d.env, fmt.Errorf("encode %T: %w", payload, err)
		}
		d.env.Body = body
	}
	if len(d.env.Body) > c.MaxBody {
		return d.env, fmt.Errorf("%w: the body is %d bytes, MaxBody is %d", ErrTooLarge, len(d.env.Body), c.MaxBody)
	}
	if len(d.headers) > 0 {
		for k := range d.headers {
			if wire.IsOurs(k) || wire.IsBrokers(k) {
				delete(d.headers, k)
			}
		}
		headers, err := wire.Headers(d.headers)
		if err != nil {
			return d.env, err
		}
		d.env.Headers = headers
	}
	d.env.ContentType = cmp.Or(d.env.ContentType, contentType)
	if d.env.MessageId == "" {
		d.env.MessageId = NewID()
	}
	if d.env.Timestamp.IsZero() {
		d.env.Timestamp = time.Now().UTC()
	}
	return d.env, nil
}

// encode shields the publisher from a codec that panics.
func encode(c Codec, payload any) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("codec panicked: %v", p)
		}
	}()
	return c.Encode(payload)
}

// NewID makes a message id: a UUIDv7, which sorts by time.
func NewID() string {
	id, err := uuid.NewV7()
	if err != nil { // no randomness: the program has worse problems, and an id it must have
		return uuid.NewString()
	}
	return id.String()
}
