package consumer

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// received is a delivery with what handlers do not see.
type received struct {
	Delivery
	raw       amqp.Delivery
	own       bool      // our headers on it are this queue's, and believed
	crashes   int       // how often it came back to a quorum queue without an end
	alone     bool      // it is handled alone, from the quarantine queue
	notBefore time.Time // it is not to be handled earlier
	session   *session  // that it must be settled on; nil in Process
	attempt   attempt   // at it, once there is one
}

// decode reads a delivery. No header that anybody may have written makes it fail: what
// is of the wrong type counts as absent.
//
// Our headers are believed if bunnicula-queue is absent, as in messages of Clojure's
// Bunnicula, or names this queue. A message that some tool moved here from another queue
// starts afresh.
func (c *Consumer) decode(raw amqp.Delivery) *received { return c.decodeAt(&raw) }

// decodeAt is decode for a delivery that is not copied around: it is large, and the stack of each session's goroutine would be too.
func (c *Consumer) decodeAt(raw *amqp.Delivery) *received {
	h := raw.Headers
	queue, named := h[wire.Queue]
	r := &received{raw: *raw, own: !named || queue == any(c.spec.Queue)}
	if raw.Redelivered { // else the header is not the broker's: a shovel may have brought it
		r.crashes = wire.Int(h[wire.DeliveryCount])
		r.crashes = max(0, r.crashes-int(c.losses.Load()))
	}
	r.alone = raw.RoutingKey == c.quarantine && raw.Exchange == "" && c.quarantine != ""
	r.Delivery = Delivery{
		Consumer: c.spec.Name, Queue: c.spec.Queue,
		Attempt: 1, MaxRetries: c.spec.MaxRetries,
		Body: raw.Body, Exchange: raw.Exchange, RoutingKey: raw.RoutingKey,
		MessageID: raw.MessageId, CorrelationID: raw.CorrelationId, ReplyTo: raw.ReplyTo, Type: raw.Type,
		AppID: raw.AppId, UserID: raw.UserId, ContentType: raw.ContentType, ContentEncoding: raw.ContentEncoding,
		Expiration: raw.Expiration, Priority: raw.Priority, Timestamp: raw.Timestamp, Redelivered: raw.Redelivered,
	}
	if len(h) == 0 {
		return r
	}
	r.Headers = wire.UserHeaders(h)
	if !r.own {
		return r
	}
	// A count above the limit, from before the limit was lowered or from a stranger, is the last attempt.
	r.Attempt = min(wire.Int(h[wire.RetryAttempts]), c.spec.MaxRetries) + 1
	text(h, wire.OriginalExchange, &r.Exchange)
	text(h, wire.OriginalRoutingKey, &r.RoutingKey)
	text(h, wire.OriginalExpiration, &r.Expiration)
	text(h, wire.OriginalUserID, &r.UserID)
	var when string
	if text(h, wire.NotBefore, &when); when != "" {
		r.notBefore, _ = time.Parse(time.RFC3339Nano, when)
	}
	return r
}

func text(h amqp.Table, name string, to *string) {
	switch v := h[name].(type) {
	case string:
		*to = v
	case []byte:
		*to = string(v)
	}
}
