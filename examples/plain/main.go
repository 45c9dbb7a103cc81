// Plain does not use fx: it calls New, Start and Stop itself, and handles signals.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/plain
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	spec := consumer.Spec{
		Queue:   "example-plain",
		Timeout: 10 * time.Second, // less than what stop gives it
		Handler: consumer.JSON(Handle),
	}
	if err := run(ctx, connection.Config{URL: os.Getenv("AMQP_URL"), Name: "plain"}, spec); err != nil {
		fmt.Fprintln(os.Stderr, "plain:", err)
		os.Exit(1)
	}
}

// Order is a message.
type Order struct{ Number int }

// Handle handles one Order.
func Handle(_ context.Context, msg consumer.Message[Order]) consumer.Result {
	fmt.Println("order", msg.Payload.Number)
	return consumer.Ack()
}

// run starts the connection first and stops it last, because the others depend on it.
func run(ctx context.Context, cfg connection.Config, spec consumer.Spec) (err error) {
	conn, err := connection.New(cfg, nil)
	if err != nil {
		return err
	}
	defer stop(&err, conn.Stop)

	pub, err := publisher.New(conn, publisher.Config{}, nil)
	if err != nil {
		return err
	}
	defer stop(&err, pub.Stop)

	orders, err := consumer.New(conn, spec, nil, nil)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, time.Minute) // the broker may still be starting
	defer cancel()
	if err := orders.Start(starting); err != nil {
		return err
	}
	defer stop(&err, orders.Stop)

	// A signal during Publish would leave open whether the broker has the message.
	if err := pub.Publish(context.WithoutCancel(ctx), spec.Queue, Order{Number: 1}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// stop gives each part fifteen seconds of its own, because ctx has ended and a handler may still
// run.
func stop(err *error, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	*err = errors.Join(*err, f(ctx))
}
