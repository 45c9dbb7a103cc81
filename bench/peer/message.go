package peer

import (
	"encoding/binary"
	"time"
)

// The places of the flags and of the properties in the payload of a header frame.
const (
	flagsAt      = 12
	propertiesAt = 14
)

// hold keeps the header frame of the message. It is false for properties that are cut short.
func (m *message) hold(header []byte) bool {
	m.header = append(m.header[:0], header...)
	f := fields{b: header}
	f.take(flagsAt)
	flags := f.uint16()
	if flags&flagContentType != 0 {
		f.short()
	}
	if flags&flagContentEncoding != 0 {
		f.short()
	}
	m.table.from = len(header) - len(f.b)
	if flags&flagHeaders != 0 {
		f.long()
	}
	m.table.to = len(header) - len(f.b)
	return !f.fell
}

// append appends the message's header and body, with more headers.
func (m *message) append(b []byte, channel uint16, more []byte) []byte {
	b, start := begin(b, frameHeader, channel)
	at := len(b)
	b = append(b, m.header[:m.table.from]...)
	flags := binary.BigEndian.Uint16(b[at+flagsAt:])
	binary.BigEndian.PutUint16(b[at+flagsAt:], flags|flagHeaders)
	var own []byte
	if m.table.to > m.table.from {
		own = m.header[m.table.from+4 : m.table.to]
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(own)+len(more)))
	b = append(append(b, own...), more...)
	b = end(append(b, m.header[m.table.to:]...), start)
	return appendBody(b, channel, m.body)
}

// deathIn returns the headers of a message that has waited in this queue, as RabbitMQ 4 writes
// them. The time comes last, so that it is easy to fill in.
func deathIn(queue string) []byte {
	record := appendTable(nil, "count", int64(1), "reason", "expired", "queue", queue, "exchange", "", "routing-keys", []string{queue}, "time", time.Time{})
	headers := appendTable(nil,
		"x-first-death-exchange", "", "x-first-death-queue", queue, "x-first-death-reason", "expired",
		"x-last-death-exchange", "", "x-last-death-queue", queue, "x-last-death-reason", "expired",
		"x-death", [][]byte{record})
	return headers[4:] // without the length
}
