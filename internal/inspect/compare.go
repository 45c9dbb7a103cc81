package inspect

import (
	"context"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/compare"
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
	// It does not exist, and this broker would refuse to declare it.
	Impossible Verdict = "impossible"
)

// Comparison is the broker's answer.
type Comparison struct {
	Verdict Verdict
	// Mismatch is the first difference.
	Mismatch *topology.MismatchError
	// Err is why the Verdict is Unknown or Impossible.
	Err error
}

// Queue compares a queue with the broker's queue of that name. It never declares one. A queue that
// is Existing is the same if it exists, whatever its arguments.
func (b *Broker) Queue(ctx context.Context, q topology.Queue) (Comparison, error) {
	_, err := b.Count(ctx, q.Name)
	switch {
	case err == nil && q.Existing:
		return b.usable(ctx, q)
	case err == nil:
		return b.compare(ctx, topology.Topology{Queues: []topology.Queue{q}})
	case code(err) == amqp.NotFound && !q.Existing:
		return b.possible(ctx, q)
	}
	return answered(err)
}

// usable says whether a queue that exists can be used: a stream cannot. A user who may not read the
// queue cannot tell, and then it counts as usable.
func (b *Broker) usable(ctx context.Context, q topology.Queue) (Comparison, error) {
	switch _, stream, err := b.MayRead(ctx, q.Name); {
	case err != nil:
		return Comparison{}, err
	case stream:
		return Comparison{Verdict: Differs, Mismatch: &topology.MismatchError{
			What: "queue", Name: q.Name, Role: q.Role, Argument: "x-queue-type", Existing: "stream", Wanted: "quorum or classic",
		}}, nil
	}
	return Comparison{Verdict: Same}, nil
}

// possible says whether the broker would take the declaration of a queue that does not exist. It
// asks RabbitMQ only, which is known to refuse the question, and for quorum queues only.
func (b *Broker) possible(ctx context.Context, q topology.Queue) (Comparison, error) {
	peer, err := b.Peer(ctx)
	if err != nil || peer.Product != "RabbitMQ" || queueType(q) != string(topology.Quorum) {
		return Comparison{Verdict: Missing}, err
	}
	err = b.Ask(ctx, "try a declaration", func(ch transport.Channel) error { return compare.Possible(ch, q.Name, q.Arguments) })
	switch code(err) {
	case amqp.PreconditionFailed:
		return Comparison{Verdict: Impossible, Err: err}, nil
	case amqp.AccessRefused: // its declaration will tell
		err = nil
	}
	return Comparison{Verdict: Missing}, err
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
	err := b.Ask(ctx, "compare", func(ch transport.Channel) error { return t.Declare(compare.Only{Channel: ch}) })
	var m *topology.MismatchError
	var refused *amqp.Error
	switch {
	case errors.As(err, &m) && compare.IsLast(m.Argument):
		return Comparison{Verdict: Same}, nil
	case errors.As(err, &m):
		return Comparison{Verdict: Differs, Mismatch: m}, nil
	case errors.As(err, &refused) && compare.IsMissing(refused):
		return Comparison{Verdict: Missing}, nil
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
