package wire

import (
	"bytes"
	"maps"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Limits in bytes.
const (
	MaxOurs = 16 << 10 // all our headers together

	// RoomToCome is left free for the delivery count, which the broker adds when it delivers.
	RoomToCome = 128
)

// Again makes a message to publish from one that was received. It keeps the body, the properties
// and the user's headers. It leaves out what would lose the message or close the channel: the
// expiration, CC and BCC, the broker's own headers, and a user id other than user, which is the
// name of the connection's login. It leaves out our headers too: the caller adds them. Headers is
// not nil.
func Again(d *amqp.Delivery, user string) amqp.Publishing {
	p := amqp.Publishing{
		ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: amqp.Persistent, Priority: d.Priority,
		CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, MessageId: d.MessageId,
		Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId, Body: d.Body,
		Headers: amqp.Table{},
	}
	for k, v := range d.Headers {
		if IsUsers(k) {
			p.Headers[k] = v
		}
	}
	if user != "" && d.UserId == user {
		p.UserId = d.UserId
	}
	return p
}

// UserHeaders returns the headers that neither the framework nor the broker has written, or nil if
// there are none. They share no memory with h.
func UserHeaders(h amqp.Table) map[string]any {
	var user map[string]any
	for k, v := range h {
		if !IsUsers(k) {
			continue
		}
		if user == nil {
			user = map[string]any{} // allocated only when needed: most messages have none
		}
		user[k] = clone(v)
	}
	return user
}

// clone copies a value that its reader could change: a handler that does must not change the
// message.
func clone(v any) any {
	switch v := v.(type) {
	case []byte:
		return bytes.Clone(v)
	case []any:
		all := slices.Clone(v)
		for i := range all {
			all[i] = clone(all[i])
		}
		return all
	case amqp.Table:
		table := maps.Clone(v)
		for k := range table {
			table[k] = clone(table[k])
		}
		return table
	}
	return v
}

// Kept says whether one of our headers goes into the copy of a message. It must have the type and
// the size with which we write it, because anybody can publish a header with our prefix.
func Kept(name string, value any) bool {
	switch name {
	case RedriveCount:
		n, ok := value.(int64)
		return ok && n > 0
	case MessageIDGiven:
		return value == true
	case History, Stack, Error:
		s, ok := value.(string)
		return ok && len(s) <= MaxOurs
	case Reason, ErrorType, ErrorGroup, FirstFailedAt, FailedAt, Consumer, App, AppVersion, Host,
		OriginalExchange, OriginalRoutingKey, OriginalExpiration, OriginalUserID, RedrivenAt, RedriveID, Due:
		s, ok := value.(string)
		return ok && len(s) <= MaxName
	}
	return false
}

// Shrink removes our headers until the rest takes at most limit bytes. It removes only headers that
// people read, the largest first: stack, history, error. Then it removes other headers on which no
// decision depends.
func Shrink(ours amqp.Table, limit int) {
	for _, name := range []string{
		Stack, History, Error, ErrorType, Host, App, AppVersion, Consumer, OriginalRoutingKey,
		OriginalExchange, OriginalUserID, OriginalExpiration, ErrorGroup, FirstFailedAt, FailedAt, Due, Reason,
	} {
		over := Size(ours) - limit
		if over <= 0 {
			return
		}
		value, ok := ours[name].(string)
		if !ok {
			continue
		}
		if (name == Stack || name == Error) && over < len(value) {
			ours[name] = foreign.Cut(value, len(value)-over) // half of any other value is useless
			continue
		}
		delete(ours, name)
	}
}

// Stamp formats a time for our headers, in milliseconds. It rounds up, because Format cuts, and no
// message may be handled before its time.
func Stamp(t time.Time) string {
	return t.Add(time.Millisecond - time.Nanosecond).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
