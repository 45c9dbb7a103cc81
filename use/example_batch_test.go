package use_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

// Rows are written three at a time. What is wrong with one says nothing of the others.
func ExampleBatch() {
	write := func(_ context.Context, rows []consumer.Delivery) []consumer.Result {
		fmt.Println("writes", len(rows), "rows")
		results := make([]consumer.Result, len(rows)) // those that are not set are retries
		for i, row := range rows {
			if len(row.Body) == 0 {
				results[i] = consumer.Error(errors.New("the row is empty"))
				continue
			}
			results[i] = consumer.Ack()
		}
		return results
	}
	q := consumertest.New(new(testing.T), consumer.Spec{
		Queue: "rows", Concurrency: 6, Handler: use.Batch(3, time.Second, write),
	})
	results := make([]consumer.Result, 3)
	var all sync.WaitGroup
	for i, body := range []string{"a", "", "c"} {
		all.Go(func() { results[i] = q.Result([]byte(body)) })
	}
	all.Wait()
	fmt.Println(results[0], results[1], results[2])
	// Output:
	// writes 3 rows
	// Ack() Error(the row is empty) Ack()
}

// Orders come decoded. One that does not decode is parked, and is in no batch. Package
// examples/batch has such a function with a transaction.
func ExampleJSONBatch() {
	type order struct{ Number int }
	insert := func(_ context.Context, orders []consumer.Message[order]) []consumer.Result {
		results := make([]consumer.Result, len(orders))
		for i, o := range orders {
			fmt.Println("inserts", o.Payload.Number)
			results[i] = consumer.Ack() // to return when the transaction is committed
		}
		return results
	}
	q := consumertest.New(new(testing.T), consumer.Spec{
		Queue: "orders", Concurrency: 100, Handler: use.JSONBatch(50, 10*time.Millisecond, insert),
	})
	fmt.Println(q.Result(order{Number: 7}))
	fmt.Println(q.Result([]byte("7 apples")).Errored())
	// Output:
	// inserts 7
	// Ack()
	// true
}

// An order with a field that it does not have is parked.
func ExampleDecodeBatch() {
	type order struct{ Number int }
	insert := func(_ context.Context, orders []consumer.Message[order]) []consumer.Result {
		return make([]consumer.Result, len(orders))
	}
	q := consumertest.New(new(testing.T), consumer.Spec{
		Queue: "orders", Concurrency: 100, Handler: use.DecodeBatch(publisher.StrictJSON, 50, 10*time.Millisecond, insert),
	})
	fmt.Println(q.Result([]byte(`{"Nunber": 7}`)).Errored())
	// Output: true
}

// A queue has charges and refunds.
func ExampleByType() {
	type payment struct{ Cents int }
	handle := func(what string) consumer.Handler {
		return consumer.JSON(func(_ context.Context, m consumer.Message[payment]) consumer.Result {
			fmt.Println(what, m.Payload.Cents)
			return consumer.Ack()
		})
	}
	q := consumertest.New(new(testing.T), consumer.Spec{
		Queue:   "payments",
		Handler: use.ByType{"charge": handle("charges"), "refund": handle("refunds")}.Handler(),
	})
	for _, name := range []string{"charge", "refund", "gift"} {
		ofType := consumertest.Properties(func(d *amqp.Delivery) { d.Type = name }) // publisher.Type(name)
		fmt.Println(q.Result(payment{Cents: 100}, ofType))
	}
	// Output:
	// charges 100
	// Ack()
	// refunds 100
	// Ack()
	// Error(use.ByType: no Handler for type gift, only for charge, refund)
}
