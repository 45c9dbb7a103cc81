// Ordered books payments on the accounts of eight customers: those of one customer in the order in
// which they were published, and those of different customers side by side. Then it looks whether
// all accounts add up. Its exit code is 1 if one does not.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/ordered
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
	"github.com/bunnicula-go/bunnicula/use"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, connection.Config{URL: os.Getenv("AMQP_URL"), Name: "ordered"}, "example-ordered"); err != nil {
		fmt.Fprintln(os.Stderr, "ordered:", err)
		os.Exit(1)
	}
}

// partitions is what the consumer and all publishers of the queue agree on.
const partitions = 4

// Bookings handles one payment at a time in each partition. One that fails is tried again where it
// is, while those behind it wait.
func Bookings(queue string, books *Books) []consumer.Spec {
	return consumer.Partitioned(partitions, consumer.Spec{
		Queue:      queue,
		Timeout:    10 * time.Second, // for all tries
		MaxRetries: consumer.NoRetries,
		Use:        []consumer.Middleware{use.InPlace(5, 50*time.Millisecond)},
		Handler:    consumer.JSON(books.Book),
	})
}

// run publishes and books everything, and prints the account of it.
func run(ctx context.Context, cfg connection.Config, queue string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
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

	payments := Payments()
	books := NewBooks(payments)
	var consumers []*consumer.Consumer
	for _, spec := range Bookings(queue, books) {
		c, err := consumer.New(conn, spec, nil, nil)
		if err != nil {
			return err
		}
		consumers = append(consumers, c)
	}
	group, err := consumer.NewGroup(consumers...)
	if err != nil {
		return err
	}
	if err := group.Start(ctx); err != nil {
		return err
	}
	defer stop(&err, group.Stop)

	for _, p := range payments { // each when the broker has confirmed the one before it
		if err := pub.Publish(ctx, queue, p, publisher.Partition(p.Customer, partitions)); err != nil {
			return err
		}
	}
	select {
	case <-books.Done:
	case <-ctx.Done(): // the account says what is missing
	}
	return books.Account(os.Stdout)
}

// stop gives each part fifteen seconds of its own, because ctx may have ended.
func stop(err *error, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	*err = errors.Join(*err, f(ctx))
}
