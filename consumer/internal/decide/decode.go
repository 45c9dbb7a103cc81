package decide

import (
	"cmp"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Facts are what is known of a delivery. They are immutable after Decode, but for the body, which
// is restored when the handler may have changed it.
type Facts struct {
	Raw   amqp.Delivery
	*told // nil for most messages

	MessageID string         // Raw's, or the one that it was given
	Attempt   int            // 1 for the first
	headers   map[string]any // the user's

	MessageIDGiven bool // the publisher has set none
	Own            bool // our headers on it are about this queue, and believed
	Alone          bool // it came from the quarantine queue
	Unread         bool // the client cannot read its headers
}

// Decode reads a delivery into f. It never fails: a header of the wrong type counts as absent,
// except bunnicula-queue, which then names another queue.
//
// Our headers are believed if bunnicula-queue is absent, as in messages of Clojure's Bunnicula, or
// names this queue. A message that some tool has moved here from another queue begins with its
// first attempt.
//
// lost is how many returns of the message this process has survived. A message that was returned no
// more often than that may not have killed any process. id is the id of a message that has none.
func Decode(r *Rules, raw *amqp.Delivery, lost int, id string, f *Facts) {
	h := raw.Headers
	queue, named := h[wire.Queue]
	f.Raw, f.Own = *raw, !named || queue == any(r.Queue)
	f.Alone = r.IsQuarantine(raw)
	f.MessageID, f.Attempt = cmp.Or(raw.MessageId, id), 1
	// The mark is believed even if our other headers are about another queue. The id is ours there
	// too.
	f.MessageIDGiven = raw.MessageId == "" || h[wire.MessageIDGiven] == true
	if len(h) == 0 {
		return
	}
	_, f.Unread = h[wire.Illegible]
	f.headers = wire.UserHeaders(h)
	if f.Own {
		// A count above the limit, from before the limit was lowered or from a stranger, is the
		// last attempt.
		f.Attempt = min(wire.Int(h[wire.RetryAttempts]), r.MaxRetries) + 1
	}
	f.told = f.listen(lost)
}

// Delivery returns the message as handlers and monitors see it. It is made anew for each of them.
// Most of it is Raw's: to keep both would take twice the memory.
func (f *Facts) Delivery(r *Rules) monitoring.Delivery {
	raw := &f.Raw
	d := monitoring.Delivery{
		Consumer: r.Consumer, Queue: r.Queue,
		Attempt: f.Attempt, MaxRetries: r.MaxRetries,
		Body: raw.Body, Headers: f.headers, Exchange: raw.Exchange, RoutingKey: raw.RoutingKey,
		MessageID: f.MessageID, MessageIDGiven: f.MessageIDGiven,
		CorrelationID: raw.CorrelationId, ReplyTo: raw.ReplyTo, Type: raw.Type,
		AppID: raw.AppId, UserID: raw.UserId, ContentType: raw.ContentType, ContentEncoding: raw.ContentEncoding,
		Expiration: raw.Expiration, Priority: raw.Priority, Timestamp: raw.Timestamp, Redelivered: raw.Redelivered,
		Since: foreign.Known(raw.Timestamp),
	}
	if t := f.told; t != nil {
		d.Exchange, d.RoutingKey, d.Expiration, d.UserID = t.exchange, t.routingKey, t.expiration, t.userID
		d.Since, d.RedriveCount, d.RedriveID = t.since, t.redriveCount, t.redriveID
	}
	return d
}

// IsQuarantine returns whether a delivery came from the consumer's quarantine queue.
func (r *Rules) IsQuarantine(raw *amqp.Delivery) bool {
	return r.guarded() && raw.Exchange == "" && raw.RoutingKey == r.Quarantine.RoutingKey
}
