package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
)

type Order struct {
	ID    int    `json:"id"`
	Email string `json:"email"`
}

var errUnavailable = errors.New("mail server unavailable")

// send is a function of the business, which knows nothing of queues.
func send(_ context.Context, o Order) error {
	switch {
	case o.Email == "":
		return consumer.Permanent(fmt.Errorf("order %d has no email", o.ID))
	case o.ID == 429:
		return consumer.SnoozeFor(time.Minute)
	case o.ID == 503:
		return fmt.Errorf("order %d: %w", o.ID, consumer.After(5*time.Minute, errUnavailable))
	case o.ID == 500:
		return errUnavailable
	}
	return nil
}

// A consumer is a queue, a handler, and how patient to be.
func ExampleSpec() {
	spec := consumer.Spec{
		Queue:      "orders",
		MaxRetries: 5,
		Backoff:    []time.Duration{10 * time.Second, time.Minute},
		Timeout:    30 * time.Second,
		Bindings:   []topology.Bind{{Exchange: "shop", Kind: "topic", Keys: []string{"order.*.placed"}}},
		Handler:    consumer.JSON(consumer.FromError(func(ctx context.Context, msg consumer.Message[Order]) error { return send(ctx, msg.Payload) })),
	}
	c, err := consumer.New(nil, spec, nil, nil) // a *connection.Connection to consume
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, queue := range c.Topology().Names() {
		fmt.Println(queue)
	}
	// Output:
	// orders
	// orders-retry-10s
	// orders-retry-1m
	// orders-quarantine
	// orders-error
}

// New says which field is wrong.
func ExampleNew() {
	_, err := consumer.New(nil, consumer.Spec{
		Queue:   "orders",
		Backoff: []time.Duration{10 * time.Second, time.Microsecond},
		Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() },
	}, nil, nil)
	fmt.Println(err)
	// Output: consumer "orders": Backoff[1] is 1µs, want whole milliseconds from 1ms to 87600h0m0s
}

// JSON makes a Handler of a function that takes decoded JSON.
func ExampleJSON() {
	handler := consumer.JSON(func(_ context.Context, msg consumer.Message[Order]) consumer.Result {
		if msg.Payload.Email == "" {
			return consumer.Error(errors.New("order has no email"))
		}
		return consumer.Ack()
	})
	for _, body := range []string{`{"id":7,"email":"ann@example.com"}`, `{"id":7}`, `{"id":"seven"}`} {
		fmt.Println(handler(context.Background(), consumer.Delivery{Body: []byte(body)}))
	}
	// Output:
	// Ack()
	// Error(order has no email)
	// Undecodable(decode: json: cannot unmarshal string into Go struct field Order.id of type int)
}

// Paid is a payload that says itself what it must have.
type Paid struct {
	Order int `json:"order"`
	Cents int `json:"cents"`
}

func (p Paid) Validate() error {
	if p.Cents <= 0 {
		return fmt.Errorf("cents is %d, want more than 0", p.Cents)
	}
	return nil
}

// StrictJSON parks what JSON would take for a zero value, and Validate what is decoded and wrong.
func ExampleStrictJSON() {
	handler := consumer.StrictJSON(func(context.Context, consumer.Message[Paid]) consumer.Result { return consumer.Ack() })
	for _, body := range []string{`{"order":7,"cents":500}`, `{"number":7}`, `{"order":7}`} {
		fmt.Println(handler(context.Background(), consumer.Delivery{Body: []byte(body)}))
	}
	// Output:
	// Ack()
	// Undecodable(decode: json: unknown field "number")
	// Undecodable(decode: invalid payload: cents is 0, want more than 0)
}

// FromError makes a handler of a function that returns an error, as most functions do.
func ExampleFromError() {
	handle := consumer.FromError(func(ctx context.Context, msg consumer.Message[Order]) error {
		return send(ctx, msg.Payload)
	})
	for _, order := range []Order{{7, "a@b.c"}, {7, ""}, {429, "a@b.c"}, {500, "a@b.c"}, {503, "a@b.c"}} {
		fmt.Println(handle(context.Background(), consumer.Message[Order]{Payload: order}))
	}
	// Output:
	// Ack()
	// Error(order 7 has no email)
	// Snooze(1m0s)
	// Retry(mail server unavailable)
	// RetryAfter(5m0s, order 503: mail server unavailable)
}

// A handler is a function: call it with a Message, and compare what it says. The zero Message
// is a fine input.
func ExampleResult_Equal() {
	handle := func(_ context.Context, msg consumer.Message[Order]) consumer.Result {
		switch {
		case msg.Payload.Email == "":
			return consumer.Error(errors.New("order has no email"))
		case msg.LastAttempt():
			return consumer.Error(errors.New("given up"))
		}
		return consumer.Retry(errUnavailable)
	}
	for _, row := range []struct {
		name string
		msg  consumer.Message[Order]
		want consumer.Result
	}{
		{"without an email", consumer.Message[Order]{}, consumer.Error(errors.New("order has no email"))},
		{
			"with one",
			consumer.Message[Order]{Payload: Order{7, "a@b.c"}, Delivery: consumer.Delivery{Attempt: 1, MaxRetries: 3}},
			consumer.Retry(errUnavailable),
		},
		{
			"the last time",
			consumer.Message[Order]{Payload: Order{7, "a@b.c"}, Delivery: consumer.Delivery{Attempt: 4, MaxRetries: 3}},
			consumer.Error(errors.New("given up")),
		},
	} {
		fmt.Println(row.name, handle(context.Background(), row.msg).Equal(row.want))
	}
	// Output:
	// without an email true
	// with one true
	// the last time true
}

// Middleware wraps handlers: here it prints what they say.
func ExampleMiddleware() {
	var log consumer.Middleware = func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			result := next(ctx, d)
			fmt.Printf("%s, attempt %d: %v\n", d.Queue, d.Attempt, result)
			return result
		}
	}
	handler := log(func(context.Context, consumer.Delivery) consumer.Result { return consumer.Retry(errUnavailable) })
	handler(context.Background(), consumer.Delivery{Queue: "orders", Attempt: 2})
	// Output: orders, attempt 2: Retry(mail server unavailable)
}
