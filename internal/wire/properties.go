package wire

import amqp "github.com/rabbitmq/amqp091-go"

// MaxProperties is how many bytes of headers and properties fit the content header frame of the
// size that is agreed on with the broker (AMQP 0-9-1, section 4.2.6): 128 KiB, less the frame's own
// 8 bytes and the content header's fixed 14.
const MaxProperties = 128*1024 - 8 - 14

// PropertiesSize returns what a message's properties and headers take on the wire. A property that
// is not set takes nothing.
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
