// Package compare asks a broker what a queue or an exchange is like, by requests that it must
// refuse. They declare nothing, and no message is delivered for them.
package compare

import (
	"errors"
	"maps"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Two arguments that get invalid values. If the queue exists, the broker compares it with the
// declaration argument by argument, and these two last; in a classic queue of 3.10 it does not
// compare them at all. If the queue does not exist, the broker validates the arguments, and
// refuses. So a declaration with these arguments never declares a queue, and still shows what
// differs. A test fails on a broker that behaves differently.
const (
	lastOfQueue    = "x-queue-leader-locator"
	lastOfExchange = "alternate-exchange"

	invalid = "compare-only"
)

// IsLast says whether an argument is one that is compared last, so that nothing else differs.
func IsLast(argument string) bool { return argument == lastOfQueue || argument == lastOfExchange }

// IsMissing says whether a refusal is about such an argument, so that there is nothing to compare
// with.
func IsMissing(refused *amqp.Error) bool {
	return refused.Code == amqp.PreconditionFailed &&
		(strings.Contains(refused.Reason, "'"+lastOfQueue+"'") || strings.Contains(refused.Reason, "'"+lastOfExchange+"'"))
}

// Only is a channel whose declarations compare and declare nothing.
type Only struct{ transport.Channel }

var _ topology.Declarer = Only{}

// QueueDeclare compares a queue.
func (c Only) QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error) {
	args = maps.Clone(args)
	if args == nil {
		args = amqp.Table{}
	}
	args[lastOfQueue] = invalid
	return c.Channel.QueueDeclare(name, durable, autoDelete, exclusive, noWait, args)
}

// ExchangeDeclare compares an exchange.
func (c Only) ExchangeDeclare(name, kind string, durable, autoDelete, internal, noWait bool, _ amqp.Table) error {
	return c.Channel.ExchangeDeclare(name, kind, durable, autoDelete, internal, noWait, amqp.Table{lastOfExchange: int32(0)})
}

// Possible asks whether the broker would take the declaration of a quorum queue that does not exist.
// It declares the queue with properties that no quorum queue can have, at which the broker looks
// after the arguments. The error is the broker's refusal of something else, and nil if there is
// none.
func Possible(ch transport.Channel, name string, args amqp.Table) error {
	_, err := ch.QueueDeclare(name, false, true, true, false, args)
	var refused *amqp.Error
	switch {
	case err == nil:
		return errors.New("the broker took a queue that it should have refused")
	case errors.As(err, &refused) && refused.Code == amqp.PreconditionFailed && strings.Contains(refused.Reason, "invalid property"):
		return nil
	}
	return err
}
