package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/inflate"
	"github.com/bunnicula-go/bunnicula/internal/typed"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// line is a message in a file, or the file's last line.
type line struct {
	Exchange   typed.Text             `json:"exchange"`
	RoutingKey typed.Text             `json:"routing_key"`
	Properties typed.Properties       `json:"properties"`
	Headers    map[string]typed.Field `json:"headers,omitempty"`
	Text       *string                `json:"text,omitempty"` // the body if it is UTF-8, or Bytes
	Bytes      []byte                 `json:"bytes,omitempty"`

	// The body without its content encoding, if it has one, or why that is not here. Whoever reads
	// the file as messages ignores them, whatever they are.
	Decoded    aside `json:"decoded,omitzero"`
	NotDecoded aside `json:"not_decoded,omitzero"`

	End      bool `json:"end,omitempty"` // the line is a lastLine
	Messages int  `json:"messages,omitempty"`
}

// aside is a value that is written and not read. Nothing is made of what stands there in a file of
// somebody else, which may be a million objects.
type aside struct{ value any }

func (a aside) IsZero() bool                     { return a.value == nil }
func (a aside) MarshalJSON() ([]byte, error)     { return json.Marshal(a.value) }
func (a *aside) UnmarshalJSON(text []byte) error { return nil }

// lineOf makes the line of a message. It leaves out the broker's counts of deliveries, because
// reading changes them.
func lineOf(d *amqp.Delivery) line {
	l := line{
		Exchange: typed.Text(d.Exchange), RoutingKey: typed.Text(d.RoutingKey),
		Properties: typed.Properties{
			ContentType: typed.Text(d.ContentType), ContentEncoding: typed.Text(d.ContentEncoding),
			DeliveryMode: d.DeliveryMode, Priority: d.Priority,
			CorrelationID: typed.Text(d.CorrelationId), ReplyTo: typed.Text(d.ReplyTo),
			Expiration: typed.Text(d.Expiration), MessageID: typed.Text(d.MessageId),
			Type: typed.Text(d.Type), UserID: typed.Text(d.UserId), AppID: typed.Text(d.AppId),
		},
	}
	if !d.Timestamp.IsZero() {
		seconds := d.Timestamp.Unix()
		l.Properties.Timestamp = &seconds
	}
	headers := make(amqp.Table, len(d.Headers))
	for name, value := range d.Headers {
		if !wire.IsCount(name) {
			headers[name] = value
		}
	}
	if len(headers) > 0 {
		l.Headers = typed.Fields(headers)
	}
	if utf8.Valid(d.Body) {
		text := string(d.Body)
		l.Text = &text
	} else {
		l.Bytes = d.Body
	}
	l.Decoded.value, l.NotDecoded.value = decoded(d)
	return l
}

// decoded returns the body for people, or why it is not decoded. Both are nil for a body without a
// content encoding.
func decoded(d *amqp.Delivery) (body, why any) {
	seen, encoded, err := inflate.View(d.Body, d.ContentEncoding, inflate.PrintMost)
	switch {
	case !encoded:
		return nil, nil
	case err != nil:
		return nil, err.Error()
	case utf8.Valid(seen):
		return string(seen), nil
	}
	return typed.Field{Value: seen}, nil
}

// delivery makes the message of a line.
func (l *line) delivery() (*amqp.Delivery, error) {
	p := l.Properties
	d := &amqp.Delivery{
		Exchange: string(l.Exchange), RoutingKey: string(l.RoutingKey),
		ContentType: string(p.ContentType), ContentEncoding: string(p.ContentEncoding),
		DeliveryMode: p.DeliveryMode, Priority: p.Priority,
		CorrelationId: string(p.CorrelationID), ReplyTo: string(p.ReplyTo),
		Expiration: string(p.Expiration), MessageId: string(p.MessageID),
		Type: string(p.Type), UserId: string(p.UserID), AppId: string(p.AppID),
	}
	if p.Timestamp != nil {
		d.Timestamp = time.Unix(*p.Timestamp, 0)
	}
	var err error
	if d.Headers, err = typed.Table(l.Headers); err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	switch {
	case l.Text != nil && l.Bytes != nil:
		return nil, errors.New("it has a body as text and another as bytes")
	case l.Text != nil:
		d.Body = []byte(*l.Text)
	case l.Bytes != nil:
		d.Body = l.Bytes
	default:
		return nil, errors.New("it has no body: neither text nor bytes")
	}
	if err := l.checkLengths(); err != nil {
		return nil, err
	}
	if err := wire.Check(d.Headers); err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	return d, nil
}

// checkLengths refuses text that is too long for an AMQP short string.
func (l *line) checkLengths() error {
	p := l.Properties
	for name, value := range map[string]typed.Text{
		"content_type": p.ContentType, "content_encoding": p.ContentEncoding, "correlation_id": p.CorrelationID,
		"reply_to": p.ReplyTo, "expiration": p.Expiration, "message_id": p.MessageID, "type": p.Type,
		"user_id": p.UserID, "app_id": p.AppID, "exchange": l.Exchange, "routing_key": l.RoutingKey,
	} {
		if len(value) > wire.MaxName {
			return fmt.Errorf("%s is %d bytes long, AMQP allows %d", name, len(value), wire.MaxName)
		}
	}
	return nil
}
