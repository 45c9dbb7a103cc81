package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// Customers gives each customer that connects a queue of its own. Each process of a fleet has to be
// told of a customer, and so has one that begins anew: it gets those that it knows as Specs.
type Customers struct{ group *consumer.Group }

func NewCustomers(g *consumer.Group) Customers { return Customers{g} }

// Known are the customers that had connected before the process began.
func Known() []consumer.Spec { return []consumer.Spec{imports("acme")} }

func imports(customer string) consumer.Spec {
	return consumer.Spec{Queue: "imports-" + customer, MaxRetries: 5, Handler: consumer.JSON(Handle)}
}

func (c Customers) Connect(ctx context.Context, customer string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // how long a broker may be away
	defer cancel()
	_, err := c.group.Add(ctx, imports(customer))
	if errors.Is(err, consumer.ErrInGroup) {
		return nil // another request was first
	}
	return err
}

// Disconnect stops handling the customer's messages. They wait in its queue.
func (c Customers) Disconnect(ctx context.Context, customer string) error {
	err := c.group.Remove(ctx, "imports-"+customer)
	if errors.Is(err, consumer.ErrNotInGroup) {
		return nil // another request was first
	}
	return err
}

// A queue for each customer, while the app runs.
func ExampleGroup_Add() {
	fx.New(
		connection.Module, consumer.Module,
		fx.Provide(connection.ConfigFromEnv, NewCustomers),
		consumer.Provide(Known),
		fx.Invoke(func(lc fx.Lifecycle, customers Customers) {
			// In place of a request of a customer.
			lc.Append(fx.StartHook(func(ctx context.Context) error { return customers.Connect(ctx, "globex") }))
		}),
	).Run()
}

// Without fx, New makes the consumer that is added.
func ExampleGroup_AddConsumer() {
	g, err := consumer.NewGroup()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, customer := range []string{"acme", "globex", "acme"} {
		c, err := consumer.New(nil, imports(customer), nil, nil) // a *connection.Connection to consume
		if err != nil {
			log.Fatal(err)
		}
		if err := g.AddConsumer(ctx, c); err != nil {
			fmt.Println(err)
		}
	}
	for _, customer := range []string{"acme", "initech"} {
		if err := g.Remove(ctx, "imports-"+customer); err != nil {
			fmt.Println(err)
		}
	}
	for _, c := range g.Consumers() {
		fmt.Println(c.Name())
	}
	// Output:
	// consumer "imports-acme": add: queue "imports-acme": consumer "imports-acme" consumes it: it is in the group already
	// consumer "imports-initech": remove: it is not in the group
	// imports-globex
}
