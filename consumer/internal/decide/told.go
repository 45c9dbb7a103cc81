package decide

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// told is what headers tell of few messages. It is immutable. A nil told tells nothing.
type told struct {
	exchange, routingKey, expiration, userID string // as first published

	// As in monitoring.Delivery.
	since        time.Time
	redriveCount int
	redriveID    string

	returned, returns    int // see the methods
	notBefore, crashedAt time.Time
}

// Returned returns how often the message was returned to its queue without a settlement.
func (t *told) Returned() int {
	if t == nil {
		return 0
	}
	return t.returned
}

// Returns returns Returned less those returns that this process has survived.
func (t *told) Returns() int {
	if t == nil {
		return 0
	}
	return t.returns
}

// NotBefore returns the time before which the message is not to be handled. Zero is none.
func (t *told) NotBefore() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.notBefore
}

// CrashedAt returns when the message was first found to have crashed too often. Zero is never.
func (t *told) CrashedAt() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.crashedAt
}

// listen reads what headers tell. It returns nil if they tell no more than the message itself.
func (f *Facts) listen(lost int) *told {
	raw := &f.Raw
	plain := told{
		exchange: raw.Exchange, routingKey: raw.RoutingKey, expiration: raw.Expiration, userID: raw.UserId,
		since: foreign.Known(raw.Timestamp),
	}
	t := plain
	t.returned = returned(raw)
	if f.Own {
		t.believe(raw.Headers, f.Alone)
	}
	t.returns = max(0, t.returned-lost)
	if t == plain {
		return nil
	}
	kept := t // so that the others need no memory
	return &kept
}

// believe reads our headers.
func (t *told) believe(h amqp.Table, alone bool) {
	text(h, wire.OriginalExchange, &t.exchange)
	text(h, wire.OriginalRoutingKey, &t.routingKey)
	text(h, wire.OriginalExpiration, &t.expiration)
	text(h, wire.OriginalUserID, &t.userID)
	t.notBefore = moment(h, wire.NotBefore)
	if t.redriveCount = wire.Int(h[wire.RedriveCount]); t.redriveCount > 0 {
		text(h, wire.RedriveID, &t.redriveID)
	}
	for _, name := range [...]string{wire.Due, wire.RedrivenAt} {
		if at := moment(h, name); at.After(t.since) {
			t.since = at
		}
	}
	if alone { // the broker counts anew for each copy, and the header has the count before that
		t.crashedAt = moment(h, wire.CrashedAt)
		t.returned += wire.Int(h[wire.Crashes])
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
