package peer

import (
	"encoding/binary"
	"time"
)

// The properties that a Publisher of this project sets, so that a client has the usual amount to
// read. They are in the order of their flags, from bit 15 (AMQP 0-9-1, section 4.2.6.1).
const (
	flagContentType     = 1 << 15
	flagContentEncoding = 1 << 14 // no message of the peer's own has it
	flagHeaders         = 1 << 13 // only messages that have waited
	flagDeliveryMode    = 1 << 12
	flagMessageID       = 1 << 7
	flagTimestamp       = 1 << 6
	flagAppID           = 1 << 3
)

// template is a complete delivery without its tag.
type template struct {
	bytes  []byte
	tag    int // the place of the tag
	method int // the length of the method's frame, which comes first
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
	t.method = len(b)

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
	t.bytes = appendBody(b, channel, body)
	return t
}

func appendBody(b []byte, channel uint16, body []byte) []byte {
	for rest := body; len(rest) > 0; {
		n := min(len(rest), frameMax-frameOverhead)
		var start int
		b, start = begin(b, frameBody, channel)
		b = end(append(b, rest[:n]...), start)
		rest = rest[n:]
	}
	return b
}

// append appends the delivery, of which the tag is filled in later.
func (t template) append(b []byte) []byte { return append(b, t.bytes...) }

// appendMethod appends the delivery without the message.
func (t template) appendMethod(b []byte) []byte { return append(b, t.bytes[:t.method]...) }

// fill sets the tag of the delivery that begins at this place.
func (t template) fill(b []byte, at int, tag uint64) {
	binary.BigEndian.PutUint64(b[at+t.tag:], tag)
}
