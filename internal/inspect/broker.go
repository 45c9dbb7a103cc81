package inspect

import (
	"context"
	"errors"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Broker asks one question at a time, and is not safe for use by several goroutines.
type Broker struct {
	link    transport.Link
	session transport.Session
	channel transport.Channel // of session; nil after a refusal, because that closes the channel
}

// New makes a Broker. It connects at the first question.
func New(link transport.Link) *Broker { return &Broker{link: link} }

// Peer describes the broker.
func (b *Broker) Peer(ctx context.Context) (transport.Peer, error) {
	s, err := b.link.Session(ctx)
	if err != nil {
		return transport.Peer{}, err
	}
	return s.Peer(), nil
}

// Ask runs f with a channel. After an error the next call gets a new channel.
func (b *Broker) Ask(ctx context.Context, what string, f func(transport.Channel) error) error {
	s, err := b.link.Session(ctx)
	if err != nil {
		return err
	}
	if b.session != s || b.channel == nil || b.channel.IsClosed() {
		if b.channel, err = s.Channel(ctx); err != nil {
			return err
		}
		b.session = s
	}
	ch := b.channel
	var ended atomic.Bool
	err = s.Do(ctx, what, func() error {
		defer ended.Store(true)
		return f(ch)
	})
	if !ended.Load() { // f may still use the channel, so no other call may
		s.Abort(context.Canceled)
	}
	return err
}

// Declare declares a topology. Only Declare and Prune change anything.
func (b *Broker) Declare(ctx context.Context, t topology.Topology) error {
	return b.Ask(ctx, "declare", func(ch transport.Channel) error { return t.Declare(ch) })
}

// code returns the broker's reply code of a refusal, 0 if err is not a refusal.
func code(err error) int {
	if refused := (*amqp.Error)(nil); errors.As(err, &refused) && refused.Server {
		return refused.Code
	}
	return 0
}
