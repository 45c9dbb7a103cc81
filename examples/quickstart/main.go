// Quickstart is an app with one consumer. It publishes one message to it and runs until Ctrl-C.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"os"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func main() { fx.New(app()).Run() }

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(connection.Config{URL: os.Getenv("AMQP_URL"), Name: "shop"}),
		consumer.Provide(Orders),
		fx.Invoke(PlaceOrder),
	)
}

type Order struct{ Number int }

var queue = "orders"

// Orders consumes the queue. It is declared with its retry and error queues.
func Orders() consumer.Spec {
	return consumer.Spec{Queue: queue, Handler: consumer.JSON(Handle)}
}

// Handle says what becomes of a message: Ack, Retry(err), Error(err) or Snooze(delay).
func Handle(ctx context.Context, msg consumer.Message[Order]) consumer.Result {
	fmt.Println("order", msg.Payload.Number)
	return consumer.Ack()
}

// PlaceOrder publishes when the app has started. A nil error means that the broker has the message.
func PlaceOrder(lc fx.Lifecycle, pub publisher.Publisher) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		return pub.Publish(ctx, queue, Order{Number: 1})
	}))
}
