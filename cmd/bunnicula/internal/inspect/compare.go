package inspect

import (
	"context"
	"errors"
	"maps"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Verdict says how the broker's queue or exchange compares with the wanted one.
type Verdict string

// The verdicts.
const (
	Same    Verdict = "same"    // it exists and is as wanted
	Missing Verdict = "missing" // it does not exist
	Differs Verdict = "differs" // it exists, and declaring it would be refused (406)
	Unknown Verdict = "unknown" // this user may not compare it
)

// Comparison is the broker's answer.
type Comparison struct {
	Verdict Verdict
	// Mismatch is the first difference.
	Mismatch *topology.MismatchError
	// Err is why the Verdict is Unknown.
	Err error
}

// Two arguments with invalid values. If the queue exists, the broker compares it with the
// declaration argument by argument, and these two last; in a classic queue it does not compare them
// at all. If the queue does not exist, the broker validates the arguments, and refuses. So a
// declaration with these arguments never declares a queue, and still shows what differs. A test
// fails on a broker that behaves differently.
const (
	lastOfQueue    = "x-queue-leader-locator"
	lastOfExchange = "alternate-exchange"
)

// comparer adds the invalid arguments to declarations, so that nothing is declared.
type comparer struct{ transport.Channel }

func (c comparer) QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp.Table) (amqp.Queue, error) {
	args = maps.Clone(args)
	if args == nil {
		args = amqp.Table{}
	}
	args[lastOfQueue] = "compare-only"
	return c.Channel.QueueDeclare(name, durable, autoDelete, exclusive, noWait, args)
}

func (c comparer) ExchangeDeclare(name, kind string, durable, autoDelete, internal, noWait bool, _ amqp.Table) error {
	return c.Channel.ExchangeDeclare(name, kind, durable, autoDelete, internal, noWait, amqp.Table{lastOfExchange: int32(0)})
}

// Queue compares a queue with the broker's queue of that name. It never declares one. A queue that
// is Existing is the same if it exists, whatever its arguments.
func (b *Broker) Queue(ctx context.Context, q topology.Queue) (Comparison, error) {
	if _, err := b.Count(ctx, q.Name); err != nil || q.Existing {
		return answered(err)
	}
	return b.compare(ctx, topology.Topology{Queues: []topology.Queue{q}})
}

// Exchange compares an exchange with the broker's exchange of that name. It never declares one.
func (b *Broker) Exchange(ctx context.Context, e topology.Exchange) (Comparison, error) {
	if c, err := b.HasExchange(ctx, e.Name); err != nil || c.Verdict != Same {
		return c, err
	}
	return b.compare(ctx, topology.Topology{Exchanges: []topology.Exchange{e}})
}

// HasExchange returns Same if an exchange of that name exists, whatever its type.
func (b *Broker) HasExchange(ctx context.Context, name string) (Comparison, error) {
	return answered(b.Ask(ctx, "look for exchange "+name, func(ch transport.Channel) error {
		return ch.ExchangeDeclarePassive(name, "direct", true, false, false, false, nil)
	}))
}

func (b *Broker) compare(ctx context.Context, t topology.Topology) (Comparison, error) {
	err := b.Ask(ctx, "compare", func(ch transport.Channel) error { return t.Declare(comparer{ch}) })
	var m *topology.MismatchError
	switch {
	case errors.As(err, &m) && (m.Argument == lastOfQueue || m.Argument == lastOfExchange):
		return Comparison{Verdict: Same}, nil
	case errors.As(err, &m):
		return Comparison{Verdict: Differs, Mismatch: m}, nil
	case code(err) == amqp.PreconditionFailed && (strings.Contains(err.Error(), lastOfQueue) || strings.Contains(err.Error(), lastOfExchange)):
		return Comparison{Verdict: Missing}, nil // deleted after the first question
	}
	return answered(err)
}

// answered turns the broker's answer to a question into a Comparison. The error is for a question
// without an answer.
func answered(err error) (Comparison, error) {
	switch {
	case err == nil:
		return Comparison{Verdict: Same}, nil
	case code(err) == amqp.NotFound:
		return Comparison{Verdict: Missing}, nil
	case code(err) == amqp.AccessRefused, code(err) == amqp.ResourceLocked:
		return Comparison{Verdict: Unknown, Err: err}, nil
	}
	return Comparison{}, err
}
