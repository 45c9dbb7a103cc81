package archive

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// line is a message in a file, or the file's last line.
type line struct {
	Exchange   shortText        `json:"exchange"`
	RoutingKey shortText        `json:"routing_key"`
	Properties properties       `json:"properties"`
	Headers    map[string]Field `json:"headers,omitempty"`
	Text       *string          `json:"text,omitempty"` // the body if it is UTF-8, or Bytes
	Bytes      []byte           `json:"bytes,omitempty"`

	End      bool `json:"end,omitempty"` // the line is a lastLine
	Messages int  `json:"messages,omitempty"`
}

type properties struct {
	ContentType     shortText `json:"content_type,omitempty"`
	ContentEncoding shortText `json:"content_encoding,omitempty"`
	DeliveryMode    uint8     `json:"delivery_mode,omitempty"`
	Priority        uint8     `json:"priority,omitempty"`
	CorrelationID   shortText `json:"correlation_id,omitempty"`
	ReplyTo         shortText `json:"reply_to,omitempty"`
	Expiration      shortText `json:"expiration,omitempty"`
	MessageID       shortText `json:"message_id,omitempty"`
	Timestamp       *int64    `json:"timestamp,omitempty"` // seconds since 1970
	Type            shortText `json:"type,omitempty"`
	UserID          shortText `json:"user_id,omitempty"`
	AppID           shortText `json:"app_id,omitempty"`
}

// shortText is an AMQP short string. It may be other than UTF-8, so it is written as a [Field].
type shortText string

// MarshalJSON writes the text as a Field.
func (t shortText) MarshalJSON() ([]byte, error) { return Field{string(t)}.MarshalJSON() }

// UnmarshalJSON reads the output of MarshalJSON.
func (t *shortText) UnmarshalJSON(text []byte) error {
	v, err := readField(text, 0)
	s, ok := v.(string)
	if err == nil && !ok {
		err = fmt.Errorf("%.40s is not text", text)
	}
	*t = shortText(s)
	return err
}

// lineOf makes the line of a message. It leaves out the broker's counts of deliveries, because
// reading changes them.
func lineOf(d *amqp.Delivery) line {
	l := line{
		Exchange: shortText(d.Exchange), RoutingKey: shortText(d.RoutingKey),
		Properties: properties{
			ContentType: shortText(d.ContentType), ContentEncoding: shortText(d.ContentEncoding),
			DeliveryMode: d.DeliveryMode, Priority: d.Priority,
			CorrelationID: shortText(d.CorrelationId), ReplyTo: shortText(d.ReplyTo),
			Expiration: shortText(d.Expiration), MessageID: shortText(d.MessageId),
			Type: shortText(d.Type), UserID: shortText(d.UserId), AppID: shortText(d.AppId),
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
		l.Headers = Fields(headers)
	}
	if utf8.Valid(d.Body) {
		text := string(d.Body)
		l.Text = &text
	} else {
		l.Bytes = d.Body
	}
	return l
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
	if len(l.Headers) > 0 {
		d.Headers = make(amqp.Table, len(l.Headers))
		for text, f := range l.Headers {
			name, err := readName(text)
			if err != nil {
				return nil, fmt.Errorf("headers: name %.40q: %w", text, err)
			}
			d.Headers[name] = f.Value
		}
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
	for name, value := range map[string]shortText{
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
