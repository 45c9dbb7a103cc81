package main

import (
	"context"
	"errors"
	"log/slog"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Broker looks into the queues of the work from outside. Those of the notices are beside them.
type Broker struct {
	drill.Queues

	exchange string
}

// NewBroker makes a Broker. It connects at its first use.
func NewBroker(o Options, cfg connection.Config, log *slog.Logger) (Broker, error) {
	all, err := plans(o)
	if err != nil {
		return Broker{}, err
	}
	notices, err := topology.New(all[1])
	if err != nil {
		return Broker{}, err
	}
	queues, err := drill.NewQueues(all[:1], notices.Names(), cfg, log)
	return Broker{queues, o.Exchange()}, err
}

// Delete deletes the queues with what is in them, and the exchange.
func (b Broker) Delete(ctx context.Context) error {
	return errors.Join(b.Queues.Delete(ctx), b.With(ctx, func(ch *amqp.Channel) error {
		return ch.ExchangeDelete(b.exchange, false, false)
	}))
}
