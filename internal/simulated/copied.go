package simulated

import (
	"bytes"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// sent is a message as it comes out of the client library at its reader: whoever reads it shares no
// memory with who has published it.
func sent(msg amqp.Publishing) amqp.Publishing {
	msg.Headers, msg.Body = headersRead(msg.Headers), bodyRead(msg.Body)
	if !msg.Timestamp.IsZero() {
		msg.Timestamp = timeRead(msg.Timestamp)
	}
	return msg
}

// bodyRead is never nil.
func bodyRead(body []byte) []byte { return append([]byte{}, body...) }

// headersRead are nil if there are none, since they are not written then.
func headersRead(t amqp.Table) amqp.Table {
	if len(t) == 0 {
		return nil
	}
	return tableRead(t)
}

func tableRead(t amqp.Table) amqp.Table {
	read := make(amqp.Table, len(t))
	for name, v := range maps.All(t) {
		read[name] = valueRead(v)
	}
	return read
}

// valueRead is the value of a header. An int is written as 32 bits, and an empty array is read as
// nil.
func valueRead(v any) any {
	switch v := v.(type) {
	case int:
		return int32(v) //nolint:gosec // as the client library does
	case time.Time:
		return timeRead(v)
	case []byte:
		return bytes.Clone(v)
	case amqp.Table:
		return tableRead(v)
	case []any:
		var read []any
		for _, one := range v {
			read = append(read, valueRead(one))
		}
		return read
	}
	return v
}

// timeRead is a time as AMQP has it: of seconds, and without its zone.
func timeRead(t time.Time) time.Time { return time.Unix(t.Unix(), 0) }
