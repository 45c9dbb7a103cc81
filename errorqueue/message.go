package errorqueue

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// Message is a parked message, with all that is known of why it failed. What is not known is the zero
// value: no header that anybody may have written makes reading it fail.
type Message struct {
	Position int    `json:"position"` // in the queue, from 1, at the time of reading
	ID       string `json:"id,omitempty"`

	Origin Origin `json:"origin"`           // who parked it
	Reason string `json:"reason,omitempty"` // a consumer's, such as "timeout"; or the broker's, such as "delivery_limit" or "expired"
	Error  string `json:"error,omitempty"`
	Type   string `json:"error_type,omitempty"` // the error's Go type
	Stack  string `json:"stack,omitempty"`
	Group  string `json:"group,omitempty"` // the same for failures of the same kind

	Consumer   string `json:"consumer,omitempty"`
	Host       string `json:"host,omitempty"`
	App        string `json:"app,omitempty"`
	AppVersion string `json:"app_version,omitempty"`

	Target     string       `json:"target,omitempty"` // the queue that it came from, and is redriven to
	TargetFrom TargetSource `json:"target_from"`      // how that is known

	Attempts      int       `json:"attempts,omitempty"` // how often it was handled since it was published or redriven
	FirstFailedAt time.Time `json:"first_failed_at,omitzero"`
	FailedAt      time.Time `json:"failed_at,omitzero"` // when it was parked, as far as is known
	History       []Attempt `json:"history,omitempty"`  // the last ten at most, oldest first
	Deaths        []Death   `json:"deaths,omitempty"`   // the broker's own account (x-death), newest first

	OriginalExchange   string `json:"original_exchange,omitempty"` // as it was first published
	OriginalRoutingKey string `json:"original_routing_key,omitempty"`
	OriginalExpiration string `json:"original_expiration,omitempty"`
	OriginalUserID     string `json:"original_user_id,omitempty"`

	RedriveCount int       `json:"redrive_count,omitempty"`
	RedrivenAt   time.Time `json:"redriven_at,omitzero"`
	RedriveID    string    `json:"redrive_id,omitempty"` // of the last redrive

	Headers map[string]any `json:"headers,omitempty"` // the user's, neither ours nor the broker's

	// Illegible says that some headers are nested deeper than the client library reads. They are not in Headers, and what moves messages leaves this one where
	// it is: a copy would not have them. No consumer of this framework can take it either.
	Illegible bool `json:"illegible,omitempty"`

	Timestamp       time.Time `json:"timestamp,omitzero"`
	ContentType     string    `json:"content_type,omitempty"`
	ContentEncoding string    `json:"content_encoding,omitempty"`
	CorrelationID   string    `json:"correlation_id,omitempty"`
	ReplyTo         string    `json:"reply_to,omitempty"`
	MessageType     string    `json:"type,omitempty"` // the property
	AppID           string    `json:"app_id,omitempty"`
	UserID          string    `json:"user_id,omitempty"`
	Priority        uint8     `json:"priority,omitempty"`
	Deliveries      int       `json:"deliveries,omitempty"` // how often the queue has had it back, by reading it; quorum queues only

	Body     []byte `json:"-"`
	BodySize int    `json:"body_size"` // in bytes; more than len(Body) where that is cut, as in the sample of a Group
}

// MarshalJSON writes the body as "body" if it is UTF-8, else in base64 as "body_base64", and headers with their types as
// [Queue.Export] does.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	shown := struct {
		plain
		Headers map[string]field `json:"headers,omitempty"`
		Text    *string          `json:"body,omitempty"`
		Bytes   []byte           `json:"body_base64,omitempty"`
	}{plain: plain(m)}
	for name, value := range m.Headers {
		if shown.Headers == nil {
			shown.Headers = make(map[string]field, len(m.Headers))
		}
		shown.Headers[nameText(name)] = field{value}
	}
	if text := string(m.Body); utf8.ValidString(text) {
		shown.Text = &text
	} else {
		shown.Bytes = m.Body
	}
	return json.Marshal(shown)
}

// Attempt is one entry of a message's history.
type Attempt struct {
	At      time.Time     `json:"at"`
	Attempt int           `json:"attempt"` // from 1
	Reason  string        `json:"reason"`
	Error   string        `json:"error,omitempty"` // its first 200 bytes
	Host    string        `json:"host,omitempty"`
	Took    time.Duration `json:"took"` // nanoseconds
}

// Origin is who parked a message.
type Origin string

// The origins.
const (
	OriginConsumer Origin = "consumer" // a consumer of this framework; the headers say why
	OriginBroker   Origin = "broker"   // the broker dead-lettered it: its delivery limit, or an expiration; Deaths says why
	OriginClojure  Origin = "clojure"  // Clojure's Bunnicula, which does not say why
	OriginOther    Origin = "other"    // nothing is known
)

// TargetSource is how the queue is known that a message is redriven to.
type TargetSource string

// The sources.
const (
	FromHeader TargetSource = "header"  // bunnicula-queue
	FromDeath  TargetSource = "x-death" // the broker's account of where it died
	FromOpened TargetSource = "opened"  // nothing on the message: the main queue of the error queue that was opened
	FromCaller TargetSource = "caller"  // the option To
	FromNobody TargetSource = "unknown" // there is none
)

// read makes a Message of a delivery.
func (q *Queue) read(d *amqp.Delivery, position int) Message {
	h := d.Headers
	m := Message{
		Position: position, ID: d.MessageId,
		Reason: text(h, wire.Reason), Error: text(h, wire.Error), Type: text(h, wire.ErrorType), Stack: text(h, wire.Stack),
		Group: text(h, wire.ErrorGroup), Consumer: text(h, wire.Consumer), Host: text(h, wire.Host), App: text(h, wire.App), AppVersion: text(h, wire.AppVersion),
		FirstFailedAt: moment(h, wire.FirstFailedAt), FailedAt: moment(h, wire.FailedAt),
		History: pastOf(text(h, wire.History)), Deaths: deathsOf(h),
		OriginalExchange: text(h, wire.OriginalExchange), OriginalRoutingKey: text(h, wire.OriginalRoutingKey),
		OriginalExpiration: text(h, wire.OriginalExpiration), OriginalUserID: text(h, wire.OriginalUserID),
		RedriveCount: wire.Int(h[wire.RedriveCount]), RedrivenAt: moment(h, wire.RedrivenAt), RedriveID: text(h, wire.RedriveID),
		Headers: wire.UserHeaders(h), Timestamp: d.Timestamp, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, MessageType: d.Type, AppID: d.AppId, UserID: d.UserId,
		Priority: d.Priority, Deliveries: wire.Int(h[wire.DeliveryCount]), Body: d.Body, BodySize: len(d.Body),
	}
	_, m.Illegible = h[transport.HeaderIllegible]
	m.Origin = originOf(h, m)
	attempts, counted := h[wire.RetryAttempts]
	switch {
	case m.Origin == OriginClojure:
		m.Attempts = wire.Int(attempts) // it counts giving up
	case counted || m.Origin == OriginConsumer:
		m.Attempts = wire.Int(attempts) + 1
	}
	if m.Origin == OriginBroker {
		m.blameBroker()
	}
	m.Target, m.TargetFrom = q.targetOf(text(h, wire.Queue), m.Deaths)
	return m
}

// originOf tells by which headers there are. The broker may dead-letter a retry's copy, which has some of ours but no reason that
// it was parked for: a count, and what failed before.
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

// blameBroker fills in what only the broker knows. Its reason is why the message is here; a retry's reason, which is on the
// message too, is in its history.
func (m *Message) blameBroker() {
	last := m.Deaths[0]
	m.Reason = last.Reason
	m.FailedAt = last.At
	if m.FirstFailedAt.IsZero() {
		m.FirstFailedAt = last.At
	}
	first := m.Deaths[len(m.Deaths)-1]
	if m.OriginalExchange == "" && m.OriginalRoutingKey == "" {
		m.OriginalExchange, m.OriginalRoutingKey = first.Exchange, first.RoutingKey
	}
	if m.OriginalExpiration == "" {
		m.OriginalExpiration = first.Expiration
	}
	if m.Group == "" {
		m.Group = "broker:" + last.Reason + ":" + last.Queue
	}
}

// since is when the message is taken to have failed: when it was parked, or else when it was published.
func (m *Message) since() time.Time {
	if !m.FailedAt.IsZero() {
		return m.FailedAt
	}
	return m.Timestamp
}

func text(h amqp.Table, name string) string {
	switch v := h[name].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func moment(h amqp.Table, name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text(h, name))
	if err != nil {
		return time.Time{}
	}
	return t
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
		at, _ := time.Parse(time.RFC3339Nano, p.At) // the zero time if it is none
		past = append(past, Attempt{At: at, Attempt: p.Attempt, Reason: p.Reason, Error: p.Error, Host: p.Host, Took: time.Duration(p.Took) * time.Millisecond})
	}
	return past
}

// tookToFail is the time from its first failure, since it was redriven if it was, until it was parked; 0 if that is not known.
func (m *Message) tookToFail() time.Duration {
	since := m.FirstFailedAt
	if m.RedrivenAt.After(since) {
		since = m.RedrivenAt
	}
	if since.IsZero() || m.FailedAt.Before(since) {
		return 0
	}
	return m.FailedAt.Sub(since)
}
