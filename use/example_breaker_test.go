package use_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/use"
)

// A service is down, and three messages need it.
func ExampleBreaker() {
	down := true
	charge := func(context.Context, consumer.Delivery) consumer.Result {
		fmt.Println("the service is called")
		if down {
			return consumer.Retry(errors.New("connection refused"))
		}
		return consumer.Ack()
	}
	// As Spec.Use does it, with a rest that is too short for a service.
	handler := use.Breaker{Failures: 2, Rest: 100 * time.Millisecond}.New()(charge)
	handle := func(id string) {
		r := handler(context.Background(), consumer.Delivery{MessageID: id, Attempt: 1, MaxRetries: 3})
		switch {
		case r.Acked():
			fmt.Println(id, "is done")
		case r.Snoozed():
			fmt.Println(id, "snoozes:", r.Err())
		default:
			fmt.Println(id, "uses an attempt:", r.Err())
		}
	}

	handle("a")
	handle("b") // opens it
	down = false
	handle("c") // waits until the service has rested
	// Output:
	// the service is called
	// a uses an attempt: connection refused
	// the service is called
	// b snoozes: use: the service seems to be down: connection refused
	// the service is called
	// c is done
}

// A key that was revoked makes each message an Error. Messages wait until there is another one.
func ExampleBreaker_failed() {
	b := use.Breaker{Failed: func(r consumer.Result) bool {
		var status *use.StatusError
		return r.Retried() || errors.As(r.Err(), &status) && status.Status == http.StatusUnauthorized
	}}
	revoked := consumer.Error(&use.StatusError{Method: "GET", URL: "https://api.test/orders", Status: http.StatusUnauthorized})
	handler := b.New()(func(context.Context, consumer.Delivery) consumer.Result { return revoked })
	for i := range 3 {
		fmt.Println(handler(context.Background(), consumer.Delivery{MessageID: fmt.Sprint(i)}))
	}
	// Output:
	// Error(GET https://api.test/orders: 401 Unauthorized)
	// Snooze(10s, use: the service seems to be down: GET https://api.test/orders: 401 Unauthorized)
	// Snooze(10s, use: the service seems to be down: GET https://api.test/orders: 401 Unauthorized)
}

func ExampleMaxAge() {
	busy := func(context.Context, consumer.Delivery) consumer.Result { return consumer.Snooze(time.Minute) }
	handler := use.MaxAge(24 * time.Hour)(busy)
	fmt.Println(handler(context.Background(), consumer.Delivery{Since: time.Now().Add(-time.Hour)}))
	fmt.Println(handler(context.Background(), consumer.Delivery{Since: time.Now().Add(-25 * time.Hour)}))
	// Output:
	// Snooze(1m0s)
	// Error(use: the message is 25h0m0s old, MaxAge is 24h0m0s: it was to snooze for 1m0s)
}

func ExampleTreatAsAck() {
	errPaid := errors.New("paid already")
	pay := func(context.Context, consumer.Delivery) consumer.Result {
		return consumer.Error(fmt.Errorf("order 7: %w", errPaid))
	}
	handler := use.TreatAsAck(func(err error) bool { return errors.Is(err, errPaid) })(pay)
	fmt.Println(handler(context.Background(), consumer.Delivery{}))
	// Output: Ack()
}

func ExampleJitter() {
	d := use.Jitter(10*time.Second, 0.3)
	fmt.Println(d >= 10*time.Second, d <= 13*time.Second)
	// Output: true true
}
