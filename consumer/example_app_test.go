package consumer_test

import (
	"context"
	"errors"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// A program that consumes is an fx app: a connection, and a constructor for each consumer. The
// package's documentation begins with this.
func Example() {
	fx.New(
		connection.Module, consumer.Module,
		fx.Provide(connection.ConfigFromEnv), // AMQP_URL
		consumer.Provide(Orders),
	).Run()
}

// Orders tries an order six times: again after ten seconds, and then after a minute each.
func Orders() consumer.Spec {
	return consumer.Spec{
		Queue:      "orders",
		MaxRetries: 5,
		Backoff:    []time.Duration{10 * time.Second, time.Minute},
		Handler:    consumer.JSON(Handle),
	}
}

func Handle(ctx context.Context, msg consumer.Message[Order]) consumer.Result {
	if msg.Payload.Email == "" {
		return consumer.Error(errors.New("order has no email")) // to the queue orders-error
	}
	if err := send(ctx, msg.Payload); err != nil {
		return consumer.Retry(err) // later
	}
	return consumer.Ack() // done
}
