package inspect

import (
	"context"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Count is the information that AMQP has about a queue.
type Count struct {
	Ready     int
	Consumers int
}

// Count counts the messages and consumers of a queue. The error is an *amqp.Error, 404 if the queue
// does not exist, 403 if this user may not look at it (RabbitMQ 4.3), or transport.ErrUncounted.
func (b *Broker) Count(ctx context.Context, queue string) (Count, error) {
	found, err := transport.Look(ctx, queue, func(request func(transport.Channel) error) error {
		return b.Ask(ctx, "look at queue "+queue, request)
	})
	if err != nil {
		return Count{}, err
	}
	return Count{Ready: found.Messages, Consumers: found.Consumers}, nil
}

// HasQueue returns Same if a queue of that name exists, whatever its arguments.
func (b *Broker) HasQueue(ctx context.Context, name string) (Comparison, error) {
	_, err := b.Count(ctx, name)
	return answered(err)
}
