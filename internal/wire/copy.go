package wire

import (
	amqp "github.com/rabbitmq/amqp091-go"
)

// Limits of what a message carries of ours, in bytes.
const (
	MaxOurs    = 16 << 10 // all together
	RoomToCome = 128      // to be left free for what the broker adds on each way out of a queue: it counts deliveries
)

// Again is a message that was received, as it can be published once more: its body, its properties and its
// user's headers as they were. What would lose a message or close the channel then is left out: expiration, CC and BCC,
// the broker's own headers, and a user id that is not user, the connection's. Our headers are left out
// too, and are the caller's to add; Headers is not nil.
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

// UserHeaders are those that neither we nor the broker wrote; nil if there are none.
func UserHeaders(h amqp.Table) map[string]any {
	var user map[string]any
	for k, v := range h {
		if !IsUsers(k) {
			continue
		}
		if user == nil {
			user = map[string]any{} // most of h is ours, if any is
		}
		user[k] = v
	}
	return user
}

// Kept says whether one of our headers on a message goes on to its copy, if it has the
// shape in which we write it. Anybody can publish a header with our prefix.
func Kept(name string, value any) bool {
	switch name {
	case RedriveCount:
		n, ok := value.(int64)
		return ok && n > 0
	case History, Stack, Error:
		s, ok := value.(string)
		return ok && len(s) <= MaxOurs
	case Reason, ErrorType, ErrorGroup, FirstFailedAt, FailedAt, Consumer, App, AppVersion, Host,
		OriginalExchange, OriginalRoutingKey, OriginalExpiration, OriginalUserID, RedrivenAt, RedriveID:
		s, ok := value.(string)
		return ok && len(s) <= MaxName
	}
	return false
}

// Shrink drops what is only good to know until ours fit: stack, history, error, and, beside
// a user's headers that nearly fill a frame, the rest of what decides nothing.
func Shrink(ours amqp.Table, limit int) {
	for _, name := range []string{
		Stack, History, Error, ErrorType, Host, App, AppVersion, Consumer, OriginalRoutingKey,
		OriginalExchange, OriginalUserID, OriginalExpiration, ErrorGroup, FirstFailedAt, FailedAt, Reason,
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
			ours[name] = Cut(value, len(value)-over) // of the others half is worth nothing
			continue
		}
		delete(ours, name)
	}
}
