package use_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
	"github.com/bunnicula-go/bunnicula/use"
)

// A payment that was published twice is made once.
func ExampleDedupe() {
	seen, err := use.NewMemory(100_000) // use/redis for a fleet
	if err != nil {
		fmt.Println(err)
		return
	}
	pay := func(context.Context, consumer.Delivery) consumer.Result {
		fmt.Println("pays")
		return consumer.Ack()
	}
	// As Spec.Use does it.
	handler := use.Dedupe(seen, time.Hour)(pay)
	payment := consumer.Delivery{Queue: "payments", MessageID: "order-7"}
	fmt.Println(handler(context.Background(), payment))
	fmt.Println(handler(context.Background(), payment))
	// Output:
	// pays
	// Ack()
	// Ack()
}

// Where each middleware stands.
func ExampleDedupe_order() {
	seen, err := use.NewMemory(100_000)
	if err != nil {
		fmt.Println(err)
		return
	}
	payments, err := use.NewLimiter(use.Limit{Events: 50})
	if err != nil {
		fmt.Println(err)
		return
	}
	spec := consumer.Spec{
		Queue: "payments", Handler: consumer.JSON(API{}.Charge),
		Use: []consumer.Middleware{
			use.MaxAge(24 * time.Hour),
			use.Rate(payments),
			use.Dedupe(seen, time.Hour),
			use.Breaker{}.New(),
			use.TreatAsAck(func(err error) bool { return errors.Is(err, ErrPaidAlready) }),
		},
	}
	_, err = consumer.New(nil, spec, nil, nil)
	fmt.Println(err)
	// Output: <nil>
}

type Order struct{ Cents int }

type Receipt struct{ Paid int }

// An asker gets a receipt in the queue that it has named.
func ExampleReply() {
	var pub publishertest.Recorder // a *publisher.Client in an app
	charge := use.Reply(&pub, func(_ context.Context, m consumer.Message[Order]) (Receipt, error) {
		if m.Payload.Cents <= 0 {
			return Receipt{}, consumer.Permanent(errors.New("nothing to pay"))
		}
		return Receipt{Paid: m.Payload.Cents}, nil
	}, publisher.Type("receipt"))
	handler := consumer.JSON(charge) // for Spec.Handler

	for _, body := range []string{`{"Cents": 700}`, `{"Cents": 0}`} {
		fmt.Println(handler(context.Background(), consumer.Delivery{
			Queue: "orders", MessageID: "order-7", ReplyTo: "asker", CorrelationID: "7", Body: []byte(body),
		}))
	}
	for _, m := range pub.Messages() {
		fmt.Println(m.RoutingKey, m.CorrelationId, m.Type, string(m.Body))
	}
	// Output:
	// Ack()
	// Error(nothing to pay)
	// asker 7 receipt {"Paid":700}
}
