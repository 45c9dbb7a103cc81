package wire

import amqp "github.com/rabbitmq/amqp091-go"

// MaxFrame is the frame size that links offer, and the default of RabbitMQ, in bytes. A broker with
// a lower frame_max gets what it asks for: 4096 at least.
const MaxFrame = 128 << 10

// MaxProperties is how many bytes of headers and properties fit the content header frame of a
// broker with the default frame size.
const MaxProperties = MaxFrame - besideProperties

// besideProperties is what a content header frame needs for itself (AMQP 0-9-1, section 4.2.6): the
// 8 bytes of each frame and the fixed 14 bytes of a content header.
const besideProperties = 8 + 14

// Fits returns how many bytes of headers and properties fit a frame of the negotiated size. 0 is
// MaxFrame.
func Fits(frame int) int {
	if frame <= 0 {
		return MaxProperties
	}
	return frame - besideProperties
}

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
