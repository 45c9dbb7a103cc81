package simulated

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// find is the queue for a request of a session: nil, and why not, if it is not there or is locked.
func (b *Broker) find(name string, by *session) (*queue, *amqp.Error) {
	q := b.queues[name]
	if q == nil {
		return nil, noQueue(name)
	}
	if q.owner != nil && q.owner != by {
		return nil, locked(name)
	}
	return q, nil
}

// properties are what a queue has beside its name and its arguments.
type properties struct{ durable, autoDelete, exclusive bool }

// declare is queue.declare: nil, or why not.
func (b *Broker) declare(name string, p properties, args amqp.Table, by *session) *amqp.Error {
	args = plainTable(args)
	q := b.queues[name]
	if q == nil {
		if why := b.impossible(name, p, args); why != nil {
			return why
		}
		q = &queue{broker: b, name: name, properties: p, arguments: args, quorum: args["x-queue-type"] == "quorum"}
		if args["x-queue-type"] == "stream" {
			q.stream = newStream(args)
		}
		if p.exclusive {
			q.owner = by
		}
		b.queues[name] = q
		return nil
	}
	if q.owner != nil && q.owner != by || p.exclusive != (q.owner != nil) {
		return locked(name)
	}
	return cmpErrors(
		differs("queue", name, "durable", p.durable, q.durable),
		differs("queue", name, "auto_delete", p.autoDelete, q.autoDelete),
		q.differsFrom(args),
	)
}

// differsFrom is nil if the arguments are the queue's.
func (q *queue) differsFrom(args amqp.Table) *amqp.Error {
	names := slices.Sorted(maps.Keys(args))
	for name := range q.arguments {
		if _, both := args[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if !reflect.DeepEqual(args[name], q.arguments[name]) {
			return inequivalent("queue", q.name, name, args[name], q.arguments[name])
		}
	}
	return nil
}

// impossible is why a queue cannot be declared, or nil.
func (b *Broker) impossible(name string, p properties, args amqp.Table) *amqp.Error {
	if strings.HasPrefix(name, "amq.") && !strings.HasPrefix(name, generated) {
		return refusal(amqp.AccessRefused, "ACCESS_REFUSED - queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	switch kind := args["x-queue-type"]; kind {
	case nil, "classic":
	case "quorum", "stream":
		for property, wrong := range map[string]bool{"non-durable": !p.durable, "exclusive-owner": p.exclusive, "auto-delete": p.autoDelete} {
			if wrong {
				return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid property '%s' for queue '%s' in vhost '/'", property, name)
			}
		}
		if why := impossibleStream(name, args); why != nil {
			return why
		}
	default:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - the simulation has no queues of the type '%v'", kind)
	}
	if locator, given := args["x-queue-leader-locator"]; given && locator != "balanced" && locator != "client-local" {
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg 'x-queue-leader-locator' for queue '%s' in vhost '/': \"'%v' is none of the known ones\"", name, locator)
	}
	return nil
}

// generated is what the name of a queue begins with that the broker has named.
const generated = "amq.gen-"

// declareExchange is exchange.declare.
func (b *Broker) declareExchange(name string, x exchange, args amqp.Table, by *session) *amqp.Error {
	if name == "" {
		return refusal(amqp.AccessRefused, "ACCESS_REFUSED - operation not permitted on the default exchange")
	}
	if !slices.Contains(kinds, x.kind) {
		if b.Version == RabbitMQ3 {
			by.refuse(refusal(amqp.CommandInvalid, "COMMAND_INVALID - unknown exchange type '%s'", x.kind))
			return nil
		}
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - unknown exchange type '%s'", x.kind)
	}
	old := b.exchanges[name]
	alternate, given := args["alternate-exchange"]
	switch _, text := alternate.(string); {
	case old != nil:
		return cmpErrors(
			differs("exchange", name, "type", x.kind, old.kind), differs("exchange", name, "durable", x.durable, old.durable),
			differs("exchange", name, "auto_delete", x.autoDelete, old.autoDelete), differs("exchange", name, "internal", x.internal, old.internal),
			differs("exchange", name, "alternate-exchange", alternate, nil),
		)
	case strings.HasPrefix(name, "amq."):
		return refusal(amqp.AccessRefused, "ACCESS_REFUSED - exchange name '%s' contains reserved prefix 'amq.*'", name)
	case given && text:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - the simulation has no alternate exchanges")
	case given:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg 'alternate-exchange' for exchange '%s' in vhost '/'", name)
	}
	b.exchanges[name] = &x
	return nil
}

// bind is queue.bind.
func (b *Broker) bind(bind binding, exchange string, by *session) *amqp.Error {
	if _, why := b.find(bind.queue, by); why != nil {
		return why
	}
	if exchange == "" {
		return refusal(amqp.AccessRefused, "ACCESS_REFUSED - operation not permitted on the default exchange")
	}
	x := b.exchanges[exchange]
	if x == nil {
		return noExchange(exchange)
	}
	if why := bind.impossible(x.kind); why != nil {
		return why
	}
	if !slices.ContainsFunc(x.bindings, bind.is) {
		x.bindings = append(x.bindings, bind)
	}
	return nil
}

// deleteQueue is queue.delete. It returns how many messages went with the queue. A queue that is
// not there is none.
func (b *Broker) deleteQueue(name string, ifUnused, ifEmpty bool, by *session) (int, *amqp.Error) {
	q := b.queues[name]
	if q == nil {
		return 0, nil
	}
	n := q.depth()
	switch {
	case q.owner != nil && q.owner != by:
		return 0, locked(name)
	case q.quorum && (ifUnused || ifEmpty):
		by.refuse(refusal(amqp.NotImplemented, "NOT_IMPLEMENTED - cannot delete queue '%s' in vhost '/'. queue.delete operations with if-unused or if-empty flag set are not supported by quorum queues", name))
		return 0, nil
	case q.stream != nil: // whatever is in it
	case ifEmpty && n > 0:
		return 0, refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - queue '%s' in vhost '/' is not empty", name)
	case ifUnused && len(q.subscriptions) > 0:
		return 0, refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - queue '%s' in vhost '/' in use", name)
	}
	b.delete(name)
	if q.stream != nil {
		return 0, nil
	}
	return n, nil
}

func cmpErrors(all ...*amqp.Error) *amqp.Error {
	for _, e := range all {
		if e != nil {
			return e
		}
	}
	return nil
}

func differs(what, name, arg string, received, current any) *amqp.Error {
	if received == current {
		return nil
	}
	return inequivalent(what, name, arg, received, current)
}

func inequivalent(what, name, arg string, received, current any) *amqp.Error {
	return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - inequivalent arg '%s' for %s '%s' in vhost '/': received %s but current is %s",
		arg, what, name, spelled(received), spelled(current))
}

func noQueue(name string) *amqp.Error {
	return refusal(amqp.NotFound, "NOT_FOUND - no queue '%s' in vhost '/'", name)
}

func noExchange(name string) *amqp.Error {
	return refusal(amqp.NotFound, "NOT_FOUND - no exchange '%s' in vhost '/'", name)
}

func locked(name string) *amqp.Error {
	return refusal(amqp.ResourceLocked, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%s' in vhost '/'. It could be originally declared on "+
		"another connection or the exclusive property value does not match that of the original declaration.", name)
}

// spelled is an argument as the broker writes it.
func spelled(v any) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprintf("'%v'", v)
}
