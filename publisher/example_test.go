package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

type Order struct{ ID int }

func Example() {
	ctx := context.Background()
	conn, err := connection.New(connection.Config{URL: "amqp://localhost"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Stop(ctx) }()
	pub, err := publisher.New(conn, publisher.Config{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = pub.Stop(ctx) }()

	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = pub.Publish(ctx, "orders", Order{ID: 7}, publisher.MessageID("order-7"))
	switch {
	case err == nil: // confirmed, and in the queue
	case errors.Is(err, publisher.ErrUnroutable): // there is no queue "orders"
	// The broker may have it: publish it again, with the same id.
	case errors.Is(err, publisher.ErrUnconfirmed):
	default: // the broker does not have it
	}
}

func ExampleClient_PublishAsync() {
	var pub *publisher.Client // made by New, or by fx

	ctx := context.Background()
	var sent []publisher.Confirmation
	for i := range 10_000 {
		// PublishAsync waits while Window messages are unconfirmed.
		c, err := pub.PublishAsync(ctx, "orders", Order{ID: i})
		if err != nil {
			log.Fatal(err)
		}
		sent = append(sent, c)
	}
	for _, c := range sent {
		<-c.Done()
		if err := c.Err(); err != nil {
			log.Println(c.MessageID(), err)
		}
	}
}

func ExampleClient_PublishBatch() {
	var pub *publisher.Client // made by New, or by fx

	err := pub.PublishBatch(context.Background(),
		publisher.Message{RoutingKey: "orders", Payload: Order{ID: 1}},
		publisher.Message{RoutingKey: "orders", Payload: Order{ID: 2}, Options: []publisher.Option{publisher.Priority(9)}},
	)
	var failed *publisher.BatchError
	if errors.As(err, &failed) {
		for i, err := range failed.Errs {
			log.Println("message", i, err)
		}
	}
}

func ExampleConfig_Build() {
	env, err := publisher.Config{Exchange: "shop"}.Build("orders.new", Order{ID: 7}, publisher.MessageID("order-7"), publisher.Expiration(time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(env.Exchange, env.RoutingKey, env.MessageId, env.ContentType, env.Expiration, string(env.Body))

	_, err = publisher.Config{}.Build("orders", Order{}, publisher.Expiration(-time.Minute))
	fmt.Println(err)
	// Output:
	// shop orders.new order-7 application/json 60000 {"ID":7}
	// publisher: publish to queue "orders": expiration is -1m0s, want whole milliseconds from 0 to 87600h0m0s
}

// The consumer of the queue must have topology.Ladder in its Spec.Delays.
func ExampleDelay() {
	var pub publisher.Publisher = new(publishertest.Recorder) // in production a *publisher.Client

	err := pub.Publish(context.Background(), "reminders", Order{ID: 7}, publisher.Delay(36*time.Hour))
	if errors.Is(err, publisher.ErrUnroutable) {
		log.Fatal(err) // the consumer is not on the Ladder, or has never run
	}
	for _, m := range pub.(*publishertest.Recorder).Sent("reminders") {
		fmt.Println("waits in", m.RoutingKey, "at first")
	}
	// Output: waits in reminders-retry-24h at first
}

func ExampleAt() {
	var pub publishertest.Recorder // in production a *publisher.Client

	holidays := time.Date(2020, 12, 24, 18, 0, 0, 0, time.UTC)
	err := pub.Publish(context.Background(), "reminders", Order{ID: 7}, publisher.At(holidays))
	fmt.Println(err, pub.Messages()[0].RoutingKey) // it has passed, so there is no delay
	// Output: <nil> reminders
}
