package errorqueue

import (
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// stamp is what a redrive leaves on each message.
type stamp struct {
	id string
	at time.Time
}

// afresh is a parked message as it goes back to a queue: as it was published first, with its history and what it was at
// first. Its attempts begin anew.
func afresh(d *held, to, user string, s stamp) sending.Envelope {
	ours := known(d)
	for _, name := range []string{
		wire.Reason, wire.Error, wire.ErrorType, wire.ErrorGroup, wire.Stack, wire.FailedAt, wire.Consumer, wire.App, wire.AppVersion, wire.Host,
	} {
		delete(ours, name)
	}
	ours[wire.Queue] = to // or the consumer there would not believe the others
	ours[wire.RedriveCount] = int64(d.message.RedriveCount) + 1
	ours[wire.RedrivenAt] = s.at.UTC().Format(time.RFC3339)
	ours[wire.RedriveID] = s.id
	env := again(d, to, user, ours)
	complete := env
	if complete.Complete(s.at); complete.PropertiesSize() <= sending.MaxProperties-wire.RoomToCome {
		return complete
	}
	return env
}

// asItIs is a parked message as it goes to another queue to be kept: with all that is known of why it failed. What
// only the broker's own headers say, which must not be published again, is said in ours.
func asItIs(d *held, to, user string) sending.Envelope {
	ours := known(d)
	m := &d.message
	if n, ok := d.Headers[wire.RetryAttempts]; ok {
		ours[wire.RetryAttempts] = n
	}
	if m.TargetFrom != FromOpened && m.Target != "" {
		ours[wire.Queue] = wire.Cut(m.Target, wire.MaxName)
	}
	if m.Origin == OriginBroker {
		ours[wire.Reason], ours[wire.ErrorGroup] = wire.Cut(m.Reason, wire.MaxName), wire.Cut(m.Group, wire.MaxName)
		if !m.FailedAt.IsZero() {
			ours[wire.FailedAt] = m.FailedAt.UTC().Format(time.RFC3339)
		}
	}
	env := again(d, to, user, ours)
	if bytes, ok := d.Headers[transport.HeaderIllegible]; ok { // of a file: they are all that there is of these headers
		env.Headers[transport.HeaderIllegible] = bytes
	}
	return env
}

// known are our headers on a message that have the shape in which we write them, and what it was at first.
func known(d *held) amqp.Table {
	ours := amqp.Table{}
	for k, v := range d.Headers {
		if wire.Kept(k, v) {
			ours[k] = v
		}
	}
	once := func(name, value string) {
		if _, there := ours[name]; !there && value != "" && len(value) <= wire.MaxName {
			ours[name] = value
		}
	}
	m := &d.message
	if m.Origin == OriginBroker {
		if _, there := ours[wire.OriginalExchange]; !there && len(m.OriginalExchange) <= wire.MaxName {
			ours[wire.OriginalExchange] = m.OriginalExchange // which may be "", the default one
		}
		once(wire.OriginalRoutingKey, m.OriginalRoutingKey)
		once(wire.OriginalExpiration, m.OriginalExpiration)
		if !m.FirstFailedAt.IsZero() {
			once(wire.FirstFailedAt, m.FirstFailedAt.UTC().Format(time.RFC3339))
		}
	}
	once(wire.OriginalExpiration, d.Expiration)
	once(wire.OriginalUserID, d.UserId)
	return ours
}

// again is the message with these headers of ours, or with what of them fits beside the user's.
func again(d *held, to, user string, ours amqp.Table) sending.Envelope {
	env := sending.Envelope{RoutingKey: to, Publishing: wire.Again(&d.Delivery, user)}
	const toComplete = 100 // bytes, of an id, a timestamp and a content type
	wire.Shrink(ours, min(wire.MaxOurs, sending.MaxProperties-wire.RoomToCome-toComplete-env.PropertiesSize()))
	if len(env.Headers)+len(ours) <= wire.MaxCopied {
		maps.Copy(env.Headers, ours)
	}
	if env.PropertiesSize() > sending.MaxProperties { // there is no room for even the count
		maps.DeleteFunc(env.Headers, func(name string, _ any) bool { return wire.IsOurs(name) })
	}
	return env
}
