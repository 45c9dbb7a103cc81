package wirefixtures

import (
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture/typed"
)

// Message is a file of docs/wire.
type Message struct {
	About string `json:"about"`
	Queue string `json:"queue"` // in which it lies

	Exchange   string      `json:"exchange"` // to which it was published, or dead-lettered
	RoutingKey string      `json:"routing_key"`
	Properties Properties  `json:"properties"`
	Headers    typed.Table `json:"headers,omitempty"` // without the counts that a delivery adds
	Body       *string     `json:"body,omitempty"`    // if it is UTF-8
	Bytes      []byte      `json:"body_base64,omitempty"`

	Handled *Handled `json:"handled,omitempty"` // unless it lies in the error queue
	Shown   *Shown   `json:"shown,omitempty"`   // if it lies in the error queue
}

// Properties are those of AMQP 0-9-1 (basic class). What is not set is left out.
type Properties struct {
	ContentType     string `json:"content_type,omitempty"`
	ContentEncoding string `json:"content_encoding,omitempty"`
	DeliveryMode    uint8  `json:"delivery_mode,omitempty"`
	Priority        uint8  `json:"priority,omitempty"`
	CorrelationID   string `json:"correlation_id,omitempty"`
	ReplyTo         string `json:"reply_to,omitempty"`
	Expiration      string `json:"expiration,omitempty"`
	MessageID       string `json:"message_id,omitempty"`
	Timestamp       int64  `json:"timestamp,omitempty"` // seconds since 1970
	Type            string `json:"type,omitempty"`
	UserID          string `json:"user_id,omitempty"`
	AppID           string `json:"app_id,omitempty"`
}

// Handled is what a handler sees of the message.
type Handled struct {
	Attempt    int         `json:"attempt,omitempty"`
	MessageID  string      `json:"message_id,omitempty"`
	IDGiven    bool        `json:"message_id_given,omitempty"` // the id is not the publisher's
	Exchange   string      `json:"exchange"`                   // to which it was published at first
	RoutingKey string      `json:"routing_key"`
	Expiration string      `json:"expiration,omitempty"`
	UserID     string      `json:"user_id,omitempty"`
	Headers    typed.Table `json:"headers,omitempty"` // the user's

	// Parked says that the handler does not run: the message is parked for this reason.
	Parked string `json:"parked,omitempty"`

	// NotBefore says that the handler does not run before the time in bunnicula-not-before.
	NotBefore bool `json:"not_before,omitempty"`
}

// Shown is what the tools show of a parked message.
type Shown struct {
	Origin             string      `json:"origin"`
	Reason             string      `json:"reason,omitempty"`
	Error              string      `json:"error,omitempty"`
	ErrorType          string      `json:"error_type,omitempty"`
	Group              string      `json:"group,omitempty"`
	Consumer           string      `json:"consumer,omitempty"`
	App                string      `json:"app,omitempty"`
	AppVersion         string      `json:"app_version,omitempty"`
	Host               string      `json:"host,omitempty"`
	MessageID          string      `json:"message_id,omitempty"`
	IDGiven            bool        `json:"message_id_given,omitempty"` // the id is not the publisher's
	Target             string      `json:"target"`                     // the queue to which it is redriven
	TargetFrom         string      `json:"target_from"`
	Attempts           int         `json:"attempts"`
	FirstFailedAt      time.Time   `json:"first_failed_at,omitzero"`
	FailedAt           time.Time   `json:"failed_at,omitzero"`
	History            []string    `json:"history,omitempty"` // attempt and reason of each entry
	OriginalExchange   string      `json:"original_exchange"`
	OriginalRoutingKey string      `json:"original_routing_key"`
	OriginalExpiration string      `json:"original_expiration,omitempty"`
	OriginalUserID     string      `json:"original_user_id,omitempty"`
	RedriveCount       int         `json:"redrive_count,omitempty"`
	Headers            typed.Table `json:"headers,omitempty"` // the user's
}

// Of returns the message of a delivery that lay in a queue.
func Of(d amqp.Delivery, queue string) Message {
	m := Message{
		Queue: queue, Exchange: d.Exchange, RoutingKey: d.RoutingKey, Headers: typed.Table(d.Headers),
		Properties: Properties{
			ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
			CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageID: d.MessageId,
			Type: d.Type, UserID: d.UserId, AppID: d.AppId,
		},
	}
	if !d.Timestamp.IsZero() {
		m.Properties.Timestamp = d.Timestamp.Unix()
	}
	if utf8.Valid(d.Body) {
		text := string(d.Body)
		m.Body = &text
	} else {
		m.Bytes = d.Body
	}
	return m
}

// Delivery returns the message as the broker delivers it for the first time.
func (m *Message) Delivery() amqp.Delivery {
	p := m.Properties
	d := amqp.Delivery{
		Exchange: m.Exchange, RoutingKey: m.RoutingKey, Headers: amqp.Table(m.Headers), Body: m.Bytes,
		ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode, Priority: p.Priority,
		CorrelationId: p.CorrelationID, ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageId: p.MessageID,
		Type: p.Type, UserId: p.UserID, AppId: p.AppID,
	}
	if p.Timestamp != 0 {
		d.Timestamp = time.Unix(p.Timestamp, 0)
	}
	if m.Body != nil {
		d.Body = []byte(*m.Body)
	}
	return d
}
