package peer

import (
	"encoding/binary"
	"time"
)

// The properties that a Publisher of this project sets, so that a client has the usual amount to
// read. They are in the order of their flags, from bit 15 (AMQP 0-9-1, section 4.2.6.1).
const (
	flagContentType  = 1 << 15
	flagDeliveryMode = 1 << 12
	flagMessageID    = 1 << 7
	flagTimestamp    = 1 << 6
	flagAppID        = 1 << 3
)

// template is a complete delivery without its tag.
type template struct {
	bytes []byte
	tag   int // the place of the tag
}

func newTemplate(channel uint16, consumerTag, queue string, body []byte) template {
	var t template
	b, start := begin(nil, frameMethod, channel)
	b = binary.BigEndian.AppendUint16(b, basicDeliver.class)
	b = binary.BigEndian.AppendUint16(b, basicDeliver.method)
	b = appendShort(b, consumerTag)
	t.tag = len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, 0)          // not redelivered
	b = appendShort(b, "")    // the default exchange
	b = appendShort(b, queue) // its routing key
	b = end(b, start)

	b, start = begin(b, frameHeader, channel)
	b = binary.BigEndian.AppendUint16(b, basicDeliver.class)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(len(body)))
	b = binary.BigEndian.AppendUint16(b, flagContentType|flagDeliveryMode|flagMessageID|flagTimestamp|flagAppID)
	b = appendShort(b, "application/json")
	b = append(b, 2)
	b = appendShort(b, "0193f2a6-7c1e-7a5b-9d40-2f6b8c1e5a77")
	b = binary.BigEndian.AppendUint64(b, uint64(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()))
	b = appendShort(b, "bench")
	b = end(b, start)

	for rest := body; len(rest) > 0; {
		n := min(len(rest), frameMax-frameOverhead)
		b, start = begin(b, frameBody, channel)
		b = end(append(b, rest[:n]...), start)
		rest = rest[n:]
	}
	t.bytes = b
	return t
}

// append appends the delivery with this tag.
func (t template) append(b []byte, tag uint64) []byte {
	at := len(b) + t.tag
	b = append(b, t.bytes...)
	binary.BigEndian.PutUint64(b[at:], tag)
	return b
}
