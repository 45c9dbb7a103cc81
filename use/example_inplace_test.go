package use_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/use"
)

// A service fails twice. The message is tried again where it is, so that no later one of its key
// overtakes it.
func ExampleInPlace() {
	calls := 0
	book := func(context.Context, consumer.Delivery) consumer.Result {
		if calls++; calls < 3 {
			fmt.Println("call", calls, "fails")
			return consumer.Retry(errors.New("connection refused"))
		}
		fmt.Println("call", calls, "is done")
		return consumer.Ack()
	}
	spec := consumer.Spec{
		Queue: "bookings", Handler: book,
		MaxRetries: consumer.NoRetries, // when all tries have failed it is parked
		Use:        []consumer.Middleware{use.InPlace(5, time.Millisecond)},
	}
	partitions := consumer.Partitioned(4, spec)

	// As the consumer of a partition calls it.
	handler := partitions[0].Use[0](partitions[0].Handler)
	fmt.Println(handler(context.Background(), consumer.Delivery{Attempt: 1}))
	// Output:
	// call 1 fails
	// call 2 fails
	// call 3 is done
	// Ack()
}
