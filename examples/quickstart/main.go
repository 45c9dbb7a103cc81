// Quickstart is the smallest app: one consumer, one message.
//
//	AMQP_URL=amqp://user:password@localhost:5672/vhost go run ./examples/quickstart
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

type Order struct{ ID, Email string }

// Orders tries each order up to five times again: after ten seconds, and then every minute.
func Orders() consumer.Spec {
	return consumer.Spec{
		Queue:      "orders",
		MaxRetries: 5,
		Backoff:    []time.Duration{10 * time.Second, time.Minute},
		Handler:    consumer.JSON(handle),
	}
}

func handle(ctx context.Context, msg consumer.Message[Order]) consumer.Result {
	if msg.Payload.Email == "" {
		return consumer.Error(errors.New("order has no email")) // to the error queue, with this reason
	}
	if err := send(ctx, msg.Payload); err != nil {
		return consumer.Retry(err) // later
	}
	return consumer.Ack() // done
}

func send(_ context.Context, o Order) error {
	_, err := fmt.Println("mail sent to", o.Email)
	return err
}

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(connection.Config{URL: os.Getenv("AMQP_URL"), Name: "shop"}),
		consumer.Provide(Orders),
		fx.StartTimeout(time.Minute),   // for a broker that is still starting
		fx.StopTimeout(90*time.Second), // for handlers, which may take 60 s
	)
}

func main() {
	fx.New(app(), fx.Invoke(publishOne)).Run()
}

// publishOne stands for the rest of your app.
func publishOne(lc fx.Lifecycle, pub publisher.Publisher, _ *consumer.Group) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		return pub.Publish(ctx, "orders", Order{ID: "17", Email: "someone@example.com"})
	}))
}
