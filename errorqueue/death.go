package errorqueue

import (
	"encoding/json"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Death is one entry of x-death, in which the broker records why a message left a queue. A
// publisher may have written it too.
type Death struct {
	Queue      string    `json:"queue"`
	Reason     string    `json:"reason"` // "delivery_limit", "expired", "rejected" or "maxlen"
	Count      int       `json:"count"`
	At         time.Time `json:"at,omitzero"`          // the first time, to the second
	Exchange   string    `json:"exchange"`             // to which it was published
	RoutingKey string    `json:"routing_key"`          // the first one
	Expiration string    `json:"expiration,omitempty"` // that the message had, in milliseconds
}

// MarshalJSON writes At in UTC, and as its seconds since 1970 if it is beyond the years 1 to 9999.
func (d Death) MarshalJSON() ([]byte, error) {
	type plain Death
	at := d.At
	if d.At = foreign.Known(at); foreign.IsTime(at) {
		return json.Marshal(plain(d))
	}
	return json.Marshal(struct {
		plain
		At int64 `json:"at"`
	}{plain(d), at.Unix()})
}

// deathsOf reads x-death. A publisher may have written anything into that header.
func deathsOf(h amqp.Table) []Death {
	all, _ := h["x-death"].([]any)
	var deaths []Death
	for _, entry := range all {
		e, ok := entry.(amqp.Table)
		if !ok {
			continue
		}
		d := Death{
			Queue: text(e, "queue"), Reason: text(e, "reason"), Exchange: text(e, "exchange"),
			Expiration: text(e, "original-expiration"), Count: wire.Int(e["count"]),
		}
		d.At, _ = e["time"].(time.Time)
		if keys, _ := e["routing-keys"].([]any); len(keys) > 0 {
			d.RoutingKey, _ = keys[0].(string)
		}
		deaths = append(deaths, d)
	}
	return deaths
}

// text returns a header that is text, and "" for other types.
func text(h amqp.Table, name string) string {
	switch v := h[name].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}
