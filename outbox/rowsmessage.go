package outbox

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/inflate"
	"github.com/bunnicula-go/bunnicula/internal/typed"
)

// Row is a row of the outbox, with the message that it holds. Times are the database's.
type Row struct {
	ID         string    `json:"id"` // the message id
	Key        string    `json:"key,omitempty"`
	Exchange   string    `json:"exchange"`
	RoutingKey string    `json:"routing_key"` // the queue, with the default exchange ""
	State      State     `json:"state"`
	PutAt      time.Time `json:"put_at"`
	Due        time.Time `json:"due"`     // it is not published before
	Changed    time.Time `json:"changed"` // when State was set
	Attempts   int       `json:"attempts"`
	Error      string    `json:"error,omitempty"` // of the last attempt
	Job        string    `json:"job,omitempty"`
	Needs      string    `json:"needs,omitempty"` // the id of the row that must be done first

	Properties Properties `json:"properties"`
	Body       []byte     `json:"-"` // as it will be published: see Decoded

	// Unreadable says why Properties could not be read. It is "" if they were.
	Unreadable string `json:"unreadable,omitempty"`
}

// Properties are those of a row's message, with its headers.
type Properties struct {
	ContentType     string         `json:"content_type,omitempty"`
	ContentEncoding string         `json:"content_encoding,omitempty"`
	Type            string         `json:"type,omitempty"`
	CorrelationID   string         `json:"correlation_id,omitempty"`
	ReplyTo         string         `json:"reply_to,omitempty"`
	Expiration      string         `json:"expiration,omitempty"`
	Priority        uint8          `json:"priority,omitempty"`
	Timestamp       time.Time      `json:"timestamp,omitzero"` // the zero time: the relay sets it when it publishes
	UserID          string         `json:"user_id,omitempty"`
	AppID           string         `json:"app_id,omitempty"`
	Headers         map[string]any `json:"headers,omitempty"`
}

// Decoded returns the body inflated if the content encoding is gzip, or gzip in gzip, to 16 MiB at
// most. encoded says whether there is a content encoding that changes the bytes, as gzip does and
// utf-8 does not. If it cannot be undone, the error says why, and the body is returned as it is.
func (r *Row) Decoded() (body []byte, encoded bool, err error) {
	return inflate.View(r.Body, r.Properties.ContentEncoding, inflate.ViewMost)
}

// MarshalJSON writes the body as "body" if it is UTF-8, else in base64 as "body_base64". If it has
// a content encoding, what Decoded returns is there too, up to 1 MiB, as "decoded" or
// "decoded_base64", or the error as "not_decoded".
func (r Row) MarshalJSON() ([]byte, error) {
	type plain Row
	s := struct {
		plain
		BodySize     int     `json:"body_size"`
		Text         *string `json:"body,omitempty"`
		Bytes        []byte  `json:"body_base64,omitempty"`
		Decoded      *string `json:"decoded,omitempty"`
		DecodedBytes []byte  `json:"decoded_base64,omitempty"`
		NotDecoded   string  `json:"not_decoded,omitempty"`
	}{plain: plain(r), BodySize: len(r.Body)}
	s.Text, s.Bytes = textOrBytes(r.Body)
	body, encoded, err := inflate.View(r.Body, r.Properties.ContentEncoding, inflate.PrintMost)
	switch {
	case err != nil:
		s.NotDecoded = err.Error()
	case encoded:
		s.Decoded, s.DecodedBytes = textOrBytes(body)
	}
	return json.Marshal(s)
}

func textOrBytes(body []byte) (*string, []byte) {
	if !utf8.Valid(body) {
		return nil, body
	}
	text := string(body)
	return &text, nil
}

// MarshalJSON writes headers with their AMQP types, as exported messages have them. A Timestamp
// that is beyond the years 1 to 9999 is written as its seconds since 1970.
func (p Properties) MarshalJSON() ([]byte, error) {
	type plain Properties
	s := struct {
		plain
		Timestamp any                    `json:"timestamp,omitempty"`
		Headers   map[string]typed.Field `json:"headers,omitempty"`
	}{plain: plain(p), Headers: typed.Fields(p.Headers)}
	switch {
	case !foreign.IsTime(p.Timestamp):
		s.Timestamp = p.Timestamp.Unix()
	case !p.Timestamp.IsZero():
		s.Timestamp = foreign.Known(p.Timestamp)
	}
	return json.Marshal(s)
}

// read reads the column properties. Whoever has written the row may have written anything there.
func (r *Row) read(properties []byte) {
	m, err := readProperties(properties)
	if err != nil {
		r.Unreadable = fmt.Sprintf("properties: %v", err)
		return
	}
	r.Properties = Properties{
		ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, Type: m.Type, CorrelationID: m.CorrelationId,
		ReplyTo: m.ReplyTo, Expiration: m.Expiration, Priority: m.Priority, Timestamp: m.Timestamp, UserID: m.UserId,
		AppID: m.AppId, Headers: m.Headers,
	}
}
