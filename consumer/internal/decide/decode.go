package decide

import (
	"cmp"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Facts are what is known of a delivery. They are immutable after Decode.
type Facts struct {
	Raw      amqp.Delivery
	Delivery monitoring.Delivery // as handlers and monitors see it

	Own       bool      // our headers on it are about this queue, and believed
	NotBefore time.Time // it is not to be handled earlier; zero is none
	Returned  int       // how often it was returned to its queue without a settlement
	Returns   int       // Returned, less those that this process has survived
	Alone     bool      // it came from the quarantine queue
	Unread    bool      // the client cannot read its headers
	CrashedAt time.Time // when it was first found to have crashed too often; zero is never
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
	f.Delivery = monitoring.Delivery{
		Consumer: r.Consumer, Queue: r.Queue,
		Attempt: 1, MaxRetries: r.MaxRetries,
		Body: raw.Body, Exchange: raw.Exchange, RoutingKey: raw.RoutingKey,
		MessageID: cmp.Or(raw.MessageId, id), CorrelationID: raw.CorrelationId, ReplyTo: raw.ReplyTo, Type: raw.Type,
		AppID: raw.AppId, UserID: raw.UserId, ContentType: raw.ContentType, ContentEncoding: raw.ContentEncoding,
		Expiration: raw.Expiration, Priority: raw.Priority, Timestamp: raw.Timestamp, Redelivered: raw.Redelivered,
		Since: foreign.Known(raw.Timestamp),
	}
	// The mark is believed even if our other headers are about another queue. The id is ours there
	// too.
	f.Delivery.MessageIDGiven = raw.MessageId == "" || h[wire.MessageIDGiven] == true
	if len(h) == 0 {
		return
	}
	_, f.Unread = h[wire.Illegible]
	f.Returned = returned(raw)
	f.Delivery.Headers = wire.UserHeaders(h)
	if f.Own {
		f.believe(r, h)
	}
	f.Returns = max(0, f.Returned-lost)
}

// believe reads our headers.
func (f *Facts) believe(r *Rules, h amqp.Table) {
	d := &f.Delivery
	// A count above the limit, from before the limit was lowered or from a stranger, is the last
	// attempt.
	d.Attempt = min(wire.Int(h[wire.RetryAttempts]), r.MaxRetries) + 1
	text(h, wire.OriginalExchange, &d.Exchange)
	text(h, wire.OriginalRoutingKey, &d.RoutingKey)
	text(h, wire.OriginalExpiration, &d.Expiration)
	text(h, wire.OriginalUserID, &d.UserID)
	f.NotBefore = moment(h, wire.NotBefore)
	if d.RedriveCount = wire.Int(h[wire.RedriveCount]); d.RedriveCount > 0 {
		text(h, wire.RedriveID, &d.RedriveID)
	}
	for _, name := range [...]string{wire.Due, wire.RedrivenAt} {
		if at := moment(h, name); at.After(d.Since) {
			d.Since = at
		}
	}
	if f.Alone { // the broker counts anew for each copy, and the header has the count before that
		f.CrashedAt = moment(h, wire.CrashedAt)
		f.Returned += wire.Int(h[wire.Crashes])
	}
}

// returned returns the broker's count of how often a message was returned to its queue. On a first
// delivery the header is not the broker's: a shovel, for example, may have brought it from
// elsewhere.
func returned(raw *amqp.Delivery) int {
	if !raw.Redelivered {
		return 0
	}
	return wire.Int(raw.Headers[wire.DeliveryCount])
}

// IsQuarantine returns whether a delivery came from the consumer's quarantine queue.
func (r *Rules) IsQuarantine(raw *amqp.Delivery) bool {
	return r.guarded() && raw.Exchange == "" && raw.RoutingKey == r.Quarantine.RoutingKey
}

// text reads a header that is text into to. Any other header leaves to as it is.
func text(h amqp.Table, name string, to *string) {
	switch v := h[name].(type) {
	case string:
		*to = v
	case []byte:
		*to = string(v)
	}
}

// moment reads a time. A header that is absent or no time counts as the zero time.
func moment(h amqp.Table, name string) time.Time {
	var s string
	if text(h, name, &s); s == "" {
		return time.Time{} // most messages have none, and the error of a parse costs
	}
	return foreign.ParseTime(s)
}
