package publisher

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Option changes one message.
type Option func(*sending.Draft) error

// Exchange publishes to this exchange instead of the Config's. "" is the default exchange, which
// routes to the queue that the routing key names.
func Exchange(name string) Option {
	return func(d *sending.Draft) error { d.Exchange = name; return nil }
}

// Headers adds headers: values of any AMQP type, int, nested maps and slices. It leaves out the
// headers of the framework and of the broker, so a handler may forward the headers of its own
// message.
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

// MessageID sets the message's id. When you publish the same message again, use the same id.
//
// Defaults to a new UUIDv7.
func MessageID(id string) Option {
	return func(d *sending.Draft) error { d.MessageId = id; return nil }
}

// CorrelationID says which request or job the message belongs to.
func CorrelationID(id string) Option {
	return func(d *sending.Draft) error { d.CorrelationId = id; return nil }
}

// ReplyTo names the queue to which an answer should be sent.
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

// ContentType replaces the codec's content type.
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

// Delay has the message handled d later, and not before. It is for a queue, not for a named
// exchange, and the queue's consumer must have the retry queues of topology.Ladder:
//
//	consumer.Spec{Queue: "emails", Delays: topology.Ladder, ...}
//	pub.Publish(ctx, "emails", mail, publisher.Delay(time.Hour))
//
// If the queue of the message's first wait is not there, the error is ErrUnroutable. The message
// waits in the retry queue of the longest delay of the Ladder that fits, and comes to the consumer,
// which sends it on to shorter ones until it is due: see topology.Ladder for what that costs. A
// consumer that has that queue and not the whole Ladder, as the Backoff of a minute has for delays
// of one to five minutes, lets the message be late by up to its shortest delay.
//
// The message is never handled early, by the clock of the host that handles it. It is at most
// 250 ms late, and as much later as the queue has a backlog or no consumer runs. It is not lost
// while none runs. Clocks of hosts that differ make it late or early by their difference. A broker
// that starts can let it come three minutes late: see "Retries come late" in docs/OPERATIONS.md.
//
// A d of 0 is no delay. One below 0, or above topology.MaxDelay, is an error. So is any Delay or At
// together with an exchange, Expiration, NotMandatory, or a header CC or BCC. The last one of
// several options Delay and At counts. A message with a delay cannot be taken back. Delays break
// the order of messages. Consumers in other languages must honour a header: see docs/LANGUAGES.md.
//
// In the Put of an outbox none of this holds but the limits of d: the message waits in the
// database, for any exchange, and can be taken back.
func Delay(d time.Duration) Option {
	return func(draft *sending.Draft) error {
		if d < 0 || d > topology.MaxDelay {
			return fmt.Errorf("the delay is %s, want 0 to %s", d, topology.MaxDelay)
		}
		draft.When = func(now time.Time) time.Time { return now.Add(d) }
		return nil
	}
}

// At is Delay until t. A t that has passed is no delay. The zero t is an error, and so is one more
// than topology.MaxDelay from now.
func At(t time.Time) Option {
	return func(draft *sending.Draft) error {
		if t.IsZero() {
			return errors.New("the time of At is zero")
		}
		wall := t.Round(0) // a monotonic clock may stand still while the host sleeps
		draft.When = func(time.Time) time.Time { return wall }
		return nil
	}
}

// Priority orders the messages of a classic queue that was declared with x-max-priority. In a
// quorum queue of RabbitMQ 4.0 or later, messages with a priority above 4 overtake the others.
//
// Defaults to 0.
func Priority(p uint8) Option {
	return func(d *sending.Draft) error { d.Priority = p; return nil }
}

// Expiration removes the message from its queue when it has waited this long. A queue that a
// consumer of this framework has declared dead-letters, so a message that expires there is parked
// in the error queue, not lost. From 0 to topology.MaxDelay, in whole milliseconds. The copy of a
// retried message does not expire.
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

// NotMandatory lets the broker drop the message when no queue is bound for it, for events that need
// no receiver. Publish then returns nil.
func NotMandatory() Option {
	return func(d *sending.Draft) error { d.NotMandatory = true; return nil }
}

// Transient makes the message non-persistent: the broker need not keep it over a restart. A quorum
// queue keeps it all the same.
func Transient() Option {
	return func(d *sending.Draft) error { d.DeliveryMode = 1; return nil }
}

// NoCopy sends a payload that is a []byte without a copy of it. Nobody may change the bytes any
// more, also not after the call: a message whose context has ended may still be on its way. It
// saves what copies of large bodies cost. Without it PublishAsync copies the bytes when it is
// called, and Publish and PublishBatch when they are written.
func NoCopy() Option {
	return func(d *sending.Draft) error { d.NoCopy = true; return nil }
}

// With encodes this message with another codec than the Config's.
func With(c Codec) Option {
	return func(d *sending.Draft) error { d.Encode = encoder(c); return nil }
}
