package typed

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Properties are those of a message besides its headers.
type Properties struct {
	ContentType     Text   `json:"content_type,omitempty"`
	ContentEncoding Text   `json:"content_encoding,omitempty"`
	DeliveryMode    uint8  `json:"delivery_mode,omitempty"`
	Priority        uint8  `json:"priority,omitempty"`
	CorrelationID   Text   `json:"correlation_id,omitempty"`
	ReplyTo         Text   `json:"reply_to,omitempty"`
	Expiration      Text   `json:"expiration,omitempty"`
	MessageID       Text   `json:"message_id,omitempty"`
	Timestamp       *int64 `json:"timestamp,omitempty"` // seconds since 1970
	Type            Text   `json:"type,omitempty"`
	UserID          Text   `json:"user_id,omitempty"`
	AppID           Text   `json:"app_id,omitempty"`
}

// Of returns the properties of a message.
func Of(m *amqp.Publishing) Properties {
	p := Properties{
		ContentType: Text(m.ContentType), ContentEncoding: Text(m.ContentEncoding),
		DeliveryMode: m.DeliveryMode, Priority: m.Priority,
		CorrelationID: Text(m.CorrelationId), ReplyTo: Text(m.ReplyTo),
		Expiration: Text(m.Expiration), MessageID: Text(m.MessageId),
		Type: Text(m.Type), UserID: Text(m.UserId), AppID: Text(m.AppId),
	}
	if !m.Timestamp.IsZero() {
		seconds := m.Timestamp.Unix()
		p.Timestamp = &seconds
	}
	return p
}

// Publishing returns a message with the properties, without headers and a body.
func (p *Properties) Publishing() amqp.Publishing {
	m := amqp.Publishing{
		ContentType: string(p.ContentType), ContentEncoding: string(p.ContentEncoding),
		DeliveryMode: p.DeliveryMode, Priority: p.Priority,
		CorrelationId: string(p.CorrelationID), ReplyTo: string(p.ReplyTo),
		Expiration: string(p.Expiration), MessageId: string(p.MessageID),
		Type: string(p.Type), UserId: string(p.UserID), AppId: string(p.AppID),
	}
	if p.Timestamp != nil {
		m.Timestamp = time.Unix(*p.Timestamp, 0)
	}
	return m
}

// Text is an AMQP short string. It may be other than UTF-8, so it is written as a [Field].
type Text string

// MarshalJSON writes the text as a Field.
func (t Text) MarshalJSON() ([]byte, error) { return Field{string(t)}.MarshalJSON() }

// UnmarshalJSON reads the output of MarshalJSON.
func (t *Text) UnmarshalJSON(text []byte) error {
	v, err := readField(text, 0)
	s, ok := v.(string)
	if err == nil && !ok {
		err = fmt.Errorf("%.40s is not text", text)
	}
	*t = Text(s)
	return err
}

// Table reads the output of Fields. It is nil if there are none.
func Table(fields map[string]Field) (amqp.Table, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	t := make(amqp.Table, len(fields))
	for text, f := range fields {
		name, err := ReadName(text)
		if err != nil {
			return nil, fmt.Errorf("name %.40q: %w", text, err)
		}
		t[name] = f.Value
	}
	return t, nil
}
