package wire

import amqp "github.com/rabbitmq/amqp091-go"

// MaxProperties is how many bytes of headers and properties fit the content header frame of the
// size that was negotiated with the broker (AMQP 0-9-1, section 4.2.6): 128 KiB, without the 8
// bytes of each frame and the fixed 14 bytes of a content header.
const MaxProperties = 128*1024 - 8 - 14

// PropertiesSize returns the size of a message's properties and headers on the wire. A property
// that is not set takes no bytes.
func PropertiesSize(p *amqp.Publishing) int {
	size := 0
	if len(p.Headers) > 0 {
		size += Size(p.Headers)
	}
	for _, s := range [...]string{
		p.MessageId, p.CorrelationId, p.ReplyTo, p.Type, p.AppId, p.UserId, p.ContentType, p.ContentEncoding, p.Expiration,
	} {
		if s != "" {
			size += 1 + len(s)
		}
	}
	if p.DeliveryMode > 0 {
		size++
	}
	if p.Priority > 0 {
		size++
	}
	if !p.Timestamp.IsZero() {
		size += 8
	}
	return size
}
