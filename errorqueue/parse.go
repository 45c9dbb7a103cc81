package errorqueue

import (
	"cmp"
	"encoding/json"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// read makes a Message of a delivery.
func (q *Queue) read(d *amqp.Delivery, position int) Message {
	h := d.Headers
	m := Message{
		Position: position, ID: d.MessageId, Mark: markOf(d),
		Reason: text(h, wire.Reason), Error: text(h, wire.Error), Type: text(h, wire.ErrorType),
		Stack: text(h, wire.Stack), Group: text(h, wire.ErrorGroup),
		Consumer: text(h, wire.Consumer), Host: text(h, wire.Host), App: text(h, wire.App), AppVersion: text(h, wire.AppVersion),
		FirstFailedAt: moment(h, wire.FirstFailedAt), FailedAt: moment(h, wire.FailedAt),
		History: pastOf(text(h, wire.History)), Deaths: deathsOf(h),
		OriginalExchange: text(h, wire.OriginalExchange), OriginalRoutingKey: text(h, wire.OriginalRoutingKey),
		OriginalExpiration: text(h, wire.OriginalExpiration), OriginalUserID: text(h, wire.OriginalUserID),
		Due:          moment(h, wire.Due),
		RedriveCount: wire.Int(h[wire.RedriveCount]), RedrivenAt: moment(h, wire.RedrivenAt), RedriveID: text(h, wire.RedriveID),
		Headers: wire.UserHeaders(h), Timestamp: d.Timestamp, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, MessageType: d.Type, AppID: d.AppId, UserID: d.UserId,
		Priority: d.Priority, Deliveries: wire.Int(h[wire.DeliveryCount]), Body: d.Body, BodySize: len(d.Body),
	}
	_, m.Illegible = h[illegible]
	m.IDGiven = m.ID != "" && h[wire.MessageIDGiven] == true
	m.Origin = originOf(h, m)
	attempts, counted := h[wire.RetryAttempts]
	switch {
	case m.Origin == OriginClojure:
		m.Attempts = wire.Int(attempts) // the header counts the last attempt too
	case counted || m.Origin == OriginConsumer:
		m.Attempts = wire.Int(attempts) + 1
	}
	if m.Origin == OriginBroker {
		m.blameBroker(text(h, wire.Queue))
	}
	m.Target, m.TargetFrom = q.targetOf(text(h, wire.Queue), m.Deaths)
	return m
}

// originOf decides by the headers that exist. The broker may dead-letter a message that a consumer
// had retried. Such a message has some headers of a consumer, but they do not say why it is parked.
func originOf(h amqp.Table, m Message) Origin {
	_, counted := h[wire.RetryAttempts]
	switch {
	case len(m.Deaths) > 0:
		return OriginBroker
	case m.Reason != "" || text(h, wire.Queue) != "":
		return OriginConsumer
	case counted:
		return OriginClojure
	}
	return OriginOther
}

// blameBroker fills in what only the broker knows. The message is parked for the broker's reason.
// If a consumer had retried it, from a queue that the message names, the consumer's reason is in
// the history, and so is its error. The retried message had come back from a retry queue, unlike
// how it was first published: what that left out is as consumers read it.
func (m *Message) blameBroker(retriedFrom string) {
	last := m.Deaths[0]
	m.Reason = last.Reason
	m.FailedAt = foreign.Known(last.At)
	if n := len(m.History); n > 0 {
		m.Error = cmp.Or(m.Error, m.History[n-1].Error)
		if m.FirstFailedAt.IsZero() {
			m.FirstFailedAt = m.History[0].At
		}
	}
	if m.FirstFailedAt.IsZero() {
		m.FirstFailedAt = m.FailedAt
	}
	first := m.Deaths[len(m.Deaths)-1]
	switch {
	case retriedFrom != "":
		m.OriginalRoutingKey = cmp.Or(m.OriginalRoutingKey, retriedFrom)
	case m.OriginalExchange == "" && m.OriginalRoutingKey == "":
		m.OriginalExchange, m.OriginalRoutingKey = first.Exchange, first.RoutingKey
	}
	if m.OriginalExpiration == "" {
		m.OriginalExpiration = first.Expiration
	}
	if m.Group == "" {
		m.Group = "broker:" + last.Reason + ":" + familyOf(last.Queue)
	}
}

// familyOf returns the queue that a partition is of, otherwise the queue itself: partitions fail
// alike.
func familyOf(queue string) string {
	if of, _, is := topology.PartitionOf(queue); is {
		return of
	}
	return queue
}

func moment(h amqp.Table, name string) time.Time {
	return foreign.ParseTime(text(h, name))
}

// pastOf reads the header bunnicula-history.
func pastOf(text string) []Attempt {
	var all []struct {
		At      string `json:"at"`
		Attempt int    `json:"attempt"`
		Reason  string `json:"reason"`
		Error   string `json:"error"`
		Host    string `json:"host"`
		Took    int64  `json:"ms"`
	}
	if len(text) > wire.MaxOurs || json.Unmarshal([]byte(text), &all) != nil {
		return nil
	}
	var past []Attempt
	for _, p := range all {
		const longest = math.MaxInt64 / int64(time.Millisecond)
		past = append(past, Attempt{
			At: foreign.ParseTime(p.At), Attempt: p.Attempt, Reason: p.Reason, Error: p.Error, Host: p.Host,
			Took: time.Duration(min(max(p.Took, 0), longest)) * time.Millisecond,
		})
	}
	return past
}
