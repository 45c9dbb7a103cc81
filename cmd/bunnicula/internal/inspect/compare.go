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

// Verdict says how something at the broker compares with what is wanted.
type Verdict string

// The verdicts.
const (
	Same    Verdict = "same"    // it is as wanted
	Missing Verdict = "missing" // it is not there
	Differs Verdict = "differs" // it is there, and to declare it is refused with 406
	Unknown Verdict = "unknown" // this user may not ask
)

// Comparison is what the broker answered.
type Comparison struct {
	Verdict Verdict
	// Mismatch is what differs, the first of several.
	Mismatch *topology.MismatchError
	// Err is why it is unknown.
	Err error
}

// Two arguments with values that are wrong. A broker compares what exists with what is asked for, argument by argument, and these
// last, or, in a classic queue, not at all; only for what does not exist does it look whether they make sense, and refuses. So a
// declaration with them never declares, and tells all the same. The tests would notice a broker in which that changed.
const (
	lastOfQueue    = "x-queue-leader-locator"
	lastOfExchange = "alternate-exchange"
)

// comparer declares so that nothing can be declared.
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

// Queue compares a queue with the broker's of that name, and never makes one. An existing one's arguments are
// its own affair: it is the same if it is there.
func (b *Broker) Queue(ctx context.Context, q topology.Queue) (Comparison, error) {
	if _, err := b.Count(ctx, q.Name); err != nil || q.Existing {
		return answered(err)
	}
	return b.compare(ctx, topology.Topology{Queues: []topology.Queue{q}})
}

// Exchange compares an exchange with the broker's of that name, and never makes one.
func (b *Broker) Exchange(ctx context.Context, e topology.Exchange) (Comparison, error) {
	if c, err := b.HasExchange(ctx, e.Name); err != nil || c.Verdict != Same {
		return c, err
	}
	return b.compare(ctx, topology.Topology{Exchanges: []topology.Exchange{e}})
}

// HasExchange says Same if there is an exchange of that name, whatever it is.
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
		return Comparison{Verdict: Missing}, nil // deleted since we looked
	}
	return answered(err)
}

// answered is what an answer means that a question of existence got. The error is for a question that got none.
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
