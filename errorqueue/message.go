package errorqueue

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/typed"
)

// Message is a parked message, with all that is known of why it failed. Whatever is unknown is the
// zero value. Reading a message never fails because of its headers, whoever wrote them.
type Message struct {
	Position int    `json:"position"` // in the queue, from 1, at the time of reading
	ID       string `json:"id,omitempty"`
	// IDGiven says that the publisher has set no id, and that a consumer or a redrive has given it.
	IDGiven bool `json:"id_given,omitempty"`

	// Mark is a digest of id and body, as 32 hexadecimal digits. It names a message in a Filter,
	// also one without an id. Messages with the same id and body share it. A copy in the archive or
	// from a file has it too. A message without an id gets one when it is redriven or handled, and
	// so another mark.
	Mark string `json:"mark"`

	Origin Origin `json:"origin"` // who parked it

	// Reason is a consumer's reason, such as "timeout", or the broker's, such as "delivery_limit"
	// or "expired".
	Reason string `json:"reason,omitempty"`

	Error string `json:"error,omitempty"`
	Type  string `json:"error_type,omitempty"` // the error's Go type
	Stack string `json:"stack,omitempty"`
	Group string `json:"group,omitempty"` // the same for failures of the same kind

	Consumer   string `json:"consumer,omitempty"`
	Host       string `json:"host,omitempty"`
	App        string `json:"app,omitempty"`
	AppVersion string `json:"app_version,omitempty"`

	// The queue from which it came, and to which it is redriven.
	Target string `json:"target,omitempty"`

	// TargetFrom says how Target is known: from the header bunnicula-queue ("header"), from the
	// broker's record of where the message died ("x-death"), or, if the message says nothing, as
	// the main queue of the opened error queue ("opened"). Without any of these it is "unknown".
	TargetFrom string `json:"target_from"`

	Attempts      int       `json:"attempts,omitempty"` // since it was published or redriven
	FirstFailedAt time.Time `json:"first_failed_at,omitzero"`
	FailedAt      time.Time `json:"failed_at,omitzero"` // when it was parked, if known
	History       []Attempt `json:"history,omitempty"`  // the last ten at most, oldest first
	// The broker's record (x-death), newest first.
	Deaths []Death `json:"deaths,omitempty"`

	OriginalExchange   string `json:"original_exchange,omitempty"` // as it was first published
	OriginalRoutingKey string `json:"original_routing_key,omitempty"`
	OriginalExpiration string `json:"original_expiration,omitempty"`
	OriginalUserID     string `json:"original_user_id,omitempty"`

	// Due is when it was to be handled, of a message that was published with a delay.
	Due time.Time `json:"due,omitzero"`

	RedriveCount int       `json:"redrive_count,omitempty"`
	RedrivenAt   time.Time `json:"redriven_at,omitzero"`
	RedriveID    string    `json:"redrive_id,omitempty"` // of the last redrive

	Headers map[string]any `json:"headers,omitempty"` // the user's, without ours and the broker's

	// Illegible says that some headers are nested deeper than the client library reads. They are
	// not in Headers. Calls that copy messages leave this one where it is, because the copy would
	// lose those headers. A consumer cannot handle it either.
	Illegible bool `json:"illegible,omitempty"`

	// Timestamp is the property, which the publisher has set. Some write milliseconds where AMQP
	// has seconds. Then the year is above 9999, and JSON has the number that they wrote.
	Timestamp       time.Time `json:"timestamp,omitzero"`
	ContentType     string    `json:"content_type,omitempty"`
	ContentEncoding string    `json:"content_encoding,omitempty"`
	CorrelationID   string    `json:"correlation_id,omitempty"`
	ReplyTo         string    `json:"reply_to,omitempty"`
	MessageType     string    `json:"type,omitempty"` // the property
	AppID           string    `json:"app_id,omitempty"`
	UserID          string    `json:"user_id,omitempty"`
	Priority        uint8     `json:"priority,omitempty"`

	// Deliveries is how often a quorum queue has got the message back, also from readers.
	Deliveries int `json:"deliveries,omitempty"`

	Body []byte `json:"-"` // as it came: see Decoded
	// In bytes; more than len(Body) in the sample of a Group, whose body is cut, and in
	// Batch.Again, whose bodies are left out.
	BodySize int `json:"body_size"`

	sample bool // of a Group, whose bodies are cut to sampleBody
}

// MarshalJSON writes the body as "body" if it is UTF-8, else in base64 as "body_base64". If it has
// a content encoding, what Decoded returns is there too, as "decoded" or "decoded_base64", or the
// error as "not_decoded". Headers have their types as [Queue.Export] writes them. Times are in UTC.
// A Timestamp that is beyond the years 1 to 9999 is written as its seconds since 1970; other times
// beyond these are left out, and so is a body that the Message is without.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	type shown struct {
		plain
		Headers map[string]typed.Field `json:"headers,omitempty"`
		Text    *string                `json:"body,omitempty"`
		Bytes   []byte                 `json:"body_base64,omitempty"`
		view
	}
	published := m.Timestamp
	m.Timestamp, m.RedrivenAt = foreign.Known(m.Timestamp), foreign.Known(m.RedrivenAt)
	m.FirstFailedAt, m.FailedAt, m.Due = foreign.Known(m.FirstFailedAt), foreign.Known(m.FailedAt), foreign.Known(m.Due)
	s := shown{plain: plain(m), Headers: typed.Fields(m.Headers)}
	switch text := string(m.Body); {
	case m.bodiless():
	case utf8.ValidString(text):
		s.Text = &text
	default:
		s.Bytes = m.Body
	}
	s.view = m.view()
	if foreign.IsTime(published) {
		return json.Marshal(s)
	}
	return json.Marshal(struct {
		shown
		Timestamp int64 `json:"timestamp"`
	}{s, published.Unix()})
}

// Attempt is one entry of a message's history.
type Attempt struct {
	At      time.Time     `json:"at,omitzero"`
	Attempt int           `json:"attempt"` // from 1
	Reason  string        `json:"reason"`
	Error   string        `json:"error,omitempty"` // the first 200 bytes
	Host    string        `json:"host,omitempty"`
	Took    time.Duration `json:"took"` // nanoseconds
}

// Origin is who parked a message.
type Origin string

// The origins.
const (
	OriginConsumer Origin = "consumer" // a consumer of this framework; its headers say why
	OriginBroker   Origin = "broker"   // the broker dead-lettered it; Deaths says why
	OriginClojure  Origin = "clojure"  // Clojure's Bunnicula, which does not say why
	OriginOther    Origin = "other"    // nothing is known
)

// The values of Message.TargetFrom and Target.Source.
const (
	fromHeader = "header"
	fromDeath  = "x-death"
	fromOpened = "opened"
	fromCaller = "caller" // the option To
	fromNobody = "unknown"
)

// since returns the time at which the message failed: when it was parked, or, if that is unknown,
// when it was published. A Timestamp beyond the year 9999 is unknown too.
func (m *Message) since() time.Time {
	if !m.FailedAt.IsZero() {
		return m.FailedAt
	}
	return foreign.Known(m.Timestamp)
}

// tookToFail returns the time from the message's first failure, or from its last redrive, until it
// was parked. It is 0 if that is unknown.
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

// subject returns the values for a filter.
func (m *Message) subject() filter.Message {
	return filter.Message{
		ID: m.ID, Reason: m.Reason, Type: m.Type, Error: m.Error, Group: m.Group,
		Consumer: m.Consumer, Host: m.Host, App: m.App, AppVersion: m.AppVersion, Target: m.Target,
		RedriveID: m.RedriveID, Mark: m.Mark,
		Since: m.since(), Headers: m.Headers, Body: m.Body, ContentEncoding: m.ContentEncoding,
	}
}
