// Quickstart is an app with one consumer. It publishes one message to it and runs until Ctrl-C.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/quickstart
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func main() { fx.New(app()).Run() }

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Provide(connection.ConfigFromEnv), // AMQP_URL and others
		consumer.Provide(Orders),
		fx.Invoke(PlaceOrder),
		fx.StartTimeout(time.Minute),   // for a broker that is still starting
		fx.StopTimeout(90*time.Second), // for handlers, which may take 60 s
	)
}

type Order struct {
	Number int
	Email  string
}

// Orders retries an order up to five times: after ten seconds, and then after a minute each time.
func Orders() consumer.Spec {
	return consumer.Spec{
		Queue:      "orders",
		MaxRetries: 5,
		Backoff:    []time.Duration{10 * time.Second, time.Minute},
		Handler:    consumer.JSON(Handle),
	}
}

// Handle decides what happens to a message.
func Handle(ctx context.Context, msg consumer.Message[Order]) consumer.Result {
	if msg.Payload.Email == "" {
		return consumer.Error(errors.New("order has no email")) // to the error queue, with this reason
	}
	if err := send(ctx, msg.Payload); err != nil {
		return consumer.Retry(err) // later
	}
	return consumer.Ack() // done
}

// send stands for the work.
func send(_ context.Context, o Order) error {
	_, err := fmt.Println("order", o.Number, "confirmed to", o.Email)
	return err
}

// PlaceOrder publishes when the app has started. A nil error means that the broker has the message.
func PlaceOrder(lc fx.Lifecycle, pub publisher.Publisher) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		return pub.Publish(ctx, "orders", Order{Number: 1, Email: "someone@example.com"})
	}))
}
