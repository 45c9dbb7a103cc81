package publisher

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Option changes one message.
type Option func(*sending.Draft) error

// Exchange publishes to this exchange instead of the Config's. "" is the default
// exchange, which routes to the queue that is named by the routing key.
func Exchange(name string) Option {
	return func(d *sending.Draft) error { d.Exchange = name; return nil }
}

// Headers adds headers: values of any AMQP type, int, nested maps and slices. The
// framework's own and the broker's are left out, so a handler may forward those of
// the message that it got.
func Headers(h map[string]any) Option {
	return func(d *sending.Draft) error {
		if d.Added == nil {
			d.Added = make(map[string]any, len(h))
		}
		maps.Copy(d.Added, h)
		return nil
	}
}

// Header adds one header, as Headers does.
func Header(name string, value any) Option { return Headers(map[string]any{name: value}) }

// MessageID names the message. Give the same id when you publish the same message again.
//
// Defaults to a new UUIDv7.
func MessageID(id string) Option {
	return func(d *sending.Draft) error { d.MessageId = id; return nil }
}

// CorrelationID says which request or job the message belongs to.
func CorrelationID(id string) Option {
	return func(d *sending.Draft) error { d.CorrelationId = id; return nil }
}

// ReplyTo names the queue that an answer should go to.
func ReplyTo(queue string) Option {
	return func(d *sending.Draft) error { d.ReplyTo = queue; return nil }
}

// Type names the kind of message, for consumers that handle several.
func Type(name string) Option {
	return func(d *sending.Draft) error { d.Type = name; return nil }
}

// AppID says which application publishes.
//
// Defaults to the connection's name.
func AppID(name string) Option {
	return func(d *sending.Draft) error { d.AppId = name; return nil }
}

// ContentType replaces the codec's.
func ContentType(mime string) Option {
	return func(d *sending.Draft) error { d.ContentType = mime; return nil }
}

// ContentEncoding says how a body that you encoded yourself is compressed, as in "gzip".
func ContentEncoding(name string) Option {
	return func(d *sending.Draft) error { d.ContentEncoding = name; return nil }
}

// Timestamp says when the message was made, to the second.
//
// Defaults to now.
func Timestamp(t time.Time) Option {
	return func(d *sending.Draft) error { d.Timestamp = t; return nil }
}

// Priority orders messages in a queue declared with x-max-priority (classic), or puts
// those above 4 ahead (quorum, RabbitMQ 4.0 and later).
//
// Defaults to 0.
func Priority(p uint8) Option {
	return func(d *sending.Draft) error { d.Priority = p; return nil }
}

// Expiration drops the message from its queue when it has waited this long. A queue
// declared by a consumer here dead-letters, so a message that expires there is parked in the
// error queue, not lost. From 0 to topology.MaxDelay, in whole milliseconds; a copy that is retried
// does not expire.
//
// Defaults to never.
func Expiration(after time.Duration) Option {
	return func(d *sending.Draft) error {
		if after < 0 || after > topology.MaxDelay || after%time.Millisecond != 0 {
			return fmt.Errorf("expiration is %s, want whole milliseconds from 0 to %s", after, topology.MaxDelay)
		}
		d.Expiration = strconv.FormatInt(after.Milliseconds(), 10)
		return nil
	}
}

// NotMandatory lets the broker drop the message in silence when no queue is bound for it:
// for events that nobody needs to hear. Publish then returns nil.
func NotMandatory() Option {
	return func(d *sending.Draft) error { d.NotMandatory = true; return nil }
}

// Transient does not ask the broker to keep the message over a restart. A quorum
// queue keeps it all the same.
func Transient() Option {
	return func(d *sending.Draft) error { d.DeliveryMode = 1; return nil }
}

// With encodes this message with another codec than the Config's.
func With(c Codec) Option {
	return func(d *sending.Draft) error { d.Encode = encoder(c); return nil }
}
