package consumertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// In a real test t is the test's own.
var t = new(testing.T)

type Payment struct{ Cents int }

func Payments(charge func(cents int) error) consumer.Spec {
	return consumer.Spec{
		Queue:      "payments",
		MaxRetries: 2,
		Backoff:    []time.Duration{10 * time.Second, time.Minute},
		Handler: consumer.JSON(func(_ context.Context, msg consumer.Message[Payment]) consumer.Result {
			if msg.Payload.Cents <= 0 {
				return consumer.Error(errors.New("nothing to pay"))
			}
			if err := charge(msg.Payload.Cents); err != nil {
				return consumer.Retry(err)
			}
			return consumer.Ack()
		}),
	}
}

// A test of a Spec: what becomes of each message, and what its copy carries.
func Example() {
	down := errors.New("bank is down")
	q := consumertest.New(t, Payments(func(int) error { return down }))

	q.Deliver(Payment{}).AssertParked(monitoring.ReasonError)
	q.Deliver(Payment{500}).AssertRetried(10 * time.Second).AssertError(down)
	q.Deliver(Payment{500}, consumertest.Attempt(3)).AssertParked(monitoring.ReasonRetriesExhausted)
	q.Deliver([]byte("not JSON")).AssertParked(monitoring.ReasonUndecodable)

	fmt.Println("failed:", t.Failed())
	// Output: failed: false
}

// A message's whole life, from its first delivery until it is parked.
func ExampleQueue_Life() {
	q := consumertest.New(t, Payments(func(int) error { return errors.New("bank is down") }))

	for i, run := range q.Life(Payment{500}) {
		fmt.Println(i+1, run.Settlement.Action, run.Settlement.Reason, run.Settlement.Delay)
	}
	// Output:
	// 1 retried retry 10s
	// 2 retried retry 1m0s
	// 3 parked retries-exhausted 0s
}

// A message may come twice. Redeliver shows whether the handler can bear it.
func ExampleQueue_Redeliver() {
	charged := 0
	q := consumertest.New(t, Payments(func(cents int) error { charged += cents; return nil }))

	run := q.Deliver(Payment{500}).AssertAcked()
	q.Redeliver(run).AssertAcked()

	fmt.Println("charged", charged) // so this handler is not idempotent
	// Output: charged 1000
}
