package errorqueue

import (
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// stamp is what a redrive writes into the headers of each message.
type stamp struct {
	id string
	at time.Time
}

// afresh makes the message that goes back to a queue: the parked one as it was first published,
// with its history. Its attempts begin again at 1.
func afresh(d *held, to string, t taker, s stamp) envelope {
	ours := known(d)
	for _, name := range []string{
		wire.Reason, wire.Error, wire.ErrorType, wire.ErrorGroup, wire.Stack, wire.FailedAt, wire.Consumer, wire.App, wire.AppVersion, wire.Host,
	} {
		delete(ours, name)
	}
	ours[wire.Queue] = to // a consumer trusts these headers only if they name its queue
	ours[wire.RedriveCount] = int64(d.message.RedriveCount) + 1
	ours[wire.RedrivenAt] = s.at.UTC().Format(time.RFC3339)
	ours[wire.RedriveID] = s.id
	if d.MessageId == "" { // it gets an id, as a consumer would give it
		ours[wire.MessageIDGiven] = true
	}
	env := again(d, to, t, ours)
	if d.MessageId == "" && env.Headers[wire.MessageIDGiven] == nil {
		return env // no id without its mark
	}
	complete := env
	if complete.Complete(s.at); complete.PropertiesSize() <= t.fits-wire.RoomToCome {
		return complete
	}
	return env
}

// asItIs makes the message that another queue keeps: the parked one with all that is known of why
// it failed. The broker's own headers must not be published again, so what they say goes into ours.
func asItIs(d *held, to string, t taker) envelope {
	ours := known(d)
	m := &d.message
	if n, ok := d.Headers[wire.RetryAttempts]; ok {
		ours[wire.RetryAttempts] = n
	}
	if m.TargetFrom != fromOpened && m.Target != "" {
		ours[wire.Queue] = foreign.Cut(m.Target, wire.MaxName)
	}
	if m.Origin == OriginBroker {
		ours[wire.Reason], ours[wire.ErrorGroup] = foreign.Cut(m.Reason, wire.MaxName), foreign.Cut(m.Group, wire.MaxName)
		if !m.FailedAt.IsZero() {
			ours[wire.FailedAt] = m.FailedAt.UTC().Format(time.RFC3339)
		}
	}
	env := again(d, to, t, ours)
	if bytes, ok := d.Headers[illegible]; ok { // a file has these headers only as bytes
		env.Headers[illegible] = bytes
	}
	return env
}

// known returns our headers of a message that have the form in which we write them, and those that
// say how the message was first published.
func known(d *held) amqp.Table {
	ours := kept(d)
	once := func(name, value string) {
		if _, there := ours[name]; !there && value != "" && len(value) <= wire.MaxName {
			ours[name] = value
		}
	}
	m := &d.message
	if m.Origin == OriginBroker {
		if _, there := ours[wire.OriginalExchange]; !there && len(m.OriginalExchange) <= wire.MaxName {
			ours[wire.OriginalExchange] = m.OriginalExchange // may be "", the default exchange
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

// kept returns our headers of a message that have the form in which we write them.
func kept(d *held) amqp.Table {
	ours := amqp.Table{}
	for k, v := range d.Headers {
		if wire.Kept(k, v) {
			ours[k] = v
		}
	}
	return ours
}

// again makes the copy with these headers of ours, as far as they fit beside the user's.
func again(d *held, to string, t taker, ours amqp.Table) envelope {
	env := envelope{RoutingKey: to, Publishing: wire.Again(&d.Delivery, t.user)}
	const toComplete = 100 // bytes, for an id, a timestamp and a content type
	room := t.fits - wire.RoomToCome - toComplete - env.PropertiesSize()
	wire.Shrink(ours, min(wire.MaxOurs, room))
	if len(env.Headers)+len(ours) <= wire.MaxCopied {
		maps.Copy(env.Headers, ours)
	}
	if env.PropertiesSize() > t.fits { // not even the redrive count fits
		maps.DeleteFunc(env.Headers, func(name string, _ any) bool { return wire.IsOurs(name) })
	}
	return env
}
