package consumertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Option changes one delivery.
type Option func(*draft)

// draft is a delivery while its options are applied.
type draft struct {
	raw     amqp.Delivery
	headers map[string]any
	codec   publisher.Codec
	ctx     context.Context
	attempt int

	stop      bool
	stopAfter time.Duration
}

// Attempt is which attempt it is, 1 if not given. Above Spec.MaxRetries + 1 it is the last one.
func Attempt(n int) Option { return func(d *draft) { d.attempt = n } }

// Header adds a header of any type that AMQP has, as a publisher would send it.
func Header(name string, value any) Option {
	return func(d *draft) {
		if d.headers == nil {
			d.headers = map[string]any{}
		}
		d.headers[name] = value
	}
}

// MessageID is "message-" and a number if not given. Empty is none: then, as in production, the
// handler sees a random id, MessageIDGiven is true, and Next and Life carry the id on. Redeliver
// gives another one.
func MessageID(id string) Option { return func(d *draft) { d.raw.MessageId = id } }

// RoutingKey is that of the publisher, the queue's name if not given.
func RoutingKey(key string) Option { return func(d *draft) { d.raw.RoutingKey = key } }

// Exchange is the exchange that the message was published to, the default one if not given.
func Exchange(name string) Option { return func(d *draft) { d.raw.Exchange = name } }

// Codec encodes the payload, and gives the content type.
func Codec(c publisher.Codec) Option { return func(d *draft) { d.codec = c } }

// Properties changes whatever else the broker delivers: priority, correlation id, expiration.
func Properties(change func(*amqp.Delivery)) Option {
	return func(d *draft) { change(&d.raw) }
}

// Context is the parent of the handler's, the test's own if not given.
func Context(ctx context.Context) Option { return func(d *draft) { d.ctx = ctx } }

// StopAfter stops the consumer while the handler runs: after delay its context is cancelled,
// with the cause consumer.ErrStopping. Deliveries that follow from this one are another
// consumer's, which goes on.
func StopAfter(delay time.Duration) Option {
	return func(d *draft) { d.stop, d.stopAfter = true, delay }
}

// encode makes the body and the headers.
func (d *draft) encode(payload any, queue string) error {
	codec := d.codec
	if _, ok := payload.([]byte); ok {
		codec = publisher.Raw
	}
	if codec == nil {
		return fmt.Errorf("the codec is nil")
	}
	body, err := codec.Encode(payload)
	if err != nil {
		return fmt.Errorf("encode %T: %w", payload, err)
	}
	d.raw.Body = body.Bytes
	d.raw.ContentType = cmp.Or(d.raw.ContentType, body.ContentType)
	d.raw.ContentEncoding = cmp.Or(d.raw.ContentEncoding, body.ContentEncoding)
	all := maps.Clone(body.Headers)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, d.headers)
	headers, err := wire.Headers(all)
	if err != nil {
		return err
	}
	if d.attempt > 1 {
		headers[wire.RetryAttempts] = int64(d.attempt - 1)
		headers[wire.Queue] = queue
	}
	if len(headers) > 0 {
		d.raw.Headers = clone(d.raw.Headers)
		for name, value := range headers {
			d.raw.Headers[name] = value
		}
	}
	return nil
}
