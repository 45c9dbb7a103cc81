package use_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
)

// Conversation is a row of an import.
type Conversation struct {
	Account string `json:"account"`
	ID      int    `json:"id"`
}

// An API takes a request a minute, whoever asks.
func ExampleRate() {
	limiter, err := use.NewLimiter(use.Limit{Events: 1, Per: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	q := consumertest.New(new(testing.T), consumer.Spec{
		Queue: "imports", Delays: topology.Ladder,
		Use:     []consumer.Middleware{use.Rate(limiter)},
		Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() },
	})
	fmt.Println(q.Result(Conversation{"acme", 1}))
	fmt.Println("snoozed:", q.Result(Conversation{"acme", 2}).Snoozed())
	// Output:
	// Ack()
	// snoozed: true
}

// An API takes a request a minute from each account. The account is in a property, so that
// middleware can see it.
func ExampleRatePerKey() {
	limiter, err := use.NewLimiter(use.Limit{Events: 1, Per: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	q := consumertest.New(new(testing.T), consumer.Spec{
		Queue: "imports", Concurrency: 50, Delays: topology.Ladder,
		Use: []consumer.Middleware{
			use.RatePerKey(limiter, func(d consumer.Delivery) string { return d.Type }),
		},
		Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() },
	})
	for _, account := range []string{"acme", "acme", "umbrella"} {
		r := q.Result(nil, consumertest.Properties(func(d *amqp.Delivery) { d.Type = account }))
		fmt.Println(account, "acked:", r.Acked(), "snoozed:", r.Snoozed())
	}
	// Output:
	// acme acked: true snoozed: false
	// acme acked: false snoozed: true
	// umbrella acked: true snoozed: false
}

// The account is in the payload.
func ExamplePerKey() {
	limiter, err := use.NewLimiter(use.Limit{Events: 1, Per: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	fetch := func(_ context.Context, m consumer.Message[Conversation]) consumer.Result { return consumer.Ack() }
	q := consumertest.New(new(testing.T), consumer.Spec{
		Queue: "imports", Concurrency: 50, Delays: topology.Ladder,
		Handler: consumer.JSON(use.PerKey(limiter, func(m consumer.Message[Conversation]) string { return m.Payload.Account }, fetch)),
	})
	for _, c := range []Conversation{{"acme", 1}, {"acme", 2}, {"umbrella", 3}} {
		r := q.Result(c)
		fmt.Println(c.Account, "acked:", r.Acked(), "snoozed:", r.Snoozed())
	}
	// Output:
	// acme acked: true snoozed: false
	// acme acked: false snoozed: true
	// umbrella acked: true snoozed: false
}

// Accounts that pay have a higher limit.
func ExampleNewLimiterFor() {
	paying := map[string]bool{"acme": true}
	limiter, err := use.NewLimiterFor(func(account string) use.Limit {
		if paying[account] {
			return use.Limit{Events: 100, Burst: 10}
		}
		return use.Limit{Events: 10, Per: time.Minute}
	})
	fmt.Println(limiter != nil, err)
	// Output: true <nil>
}

// A limit that cannot be meant is an error.
func ExampleNewLimiter() {
	_, err := use.NewLimiter(use.Limit{Per: time.Minute})
	fmt.Println(err)
	// Output: use: Limit.Events is 0, want 1 or more
}

// Two orders of a customer are not handled at the same time.
func ExampleAtMost() {
	order := make(chan string)
	q := consumertest.New(new(testing.T), consumer.Spec{
		Queue: "orders", Concurrency: 50, Delays: topology.Ladder,
		Use: []consumer.Middleware{
			use.AtMost(1, func(d consumer.Delivery) string { return d.AppID }),
		},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			order <- "began"
			time.Sleep(10 * time.Millisecond)
			order <- "ended"
			return consumer.Ack()
		},
	})
	for range 2 {
		go q.Deliver(nil)
	}
	for range 4 {
		fmt.Println(<-order)
	}
	// Output:
	// began
	// ended
	// began
	// ended
}
