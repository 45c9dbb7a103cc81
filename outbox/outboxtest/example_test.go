package outboxtest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/outbox/outboxtest"
)

// In a real test t is the test's own.
var t = new(testing.T)

// A test of a service and a consumer: what is put is relayed, and its handler bears whatever can
// happen to a message.
func Example() {
	ctx := context.Background()
	db, box := outboxtest.New(t)
	defer func() { _ = db.Close() }() // in a real test nobody has to
	_, err := db.ExecContext(ctx, `CREATE TABLE orders (id TEXT PRIMARY KEY, cents INTEGER); CREATE TABLE invoices (order_id TEXT, cents INTEGER)`)
	if err != nil {
		fmt.Println(err)
	}

	if err := Place(ctx, db, box, Order{ID: "7", Cents: 500}); err != nil {
		fmt.Println(err)
	}
	sent := outboxtest.Relay(t, box, nil)
	for _, m := range sent.Messages {
		fmt.Printf("%s to %s: %s\n", m.MessageId, m.RoutingKey, m.Body)
	}

	q := consumertest.New(t, Invoices(box))
	m := sent.Messages[0]
	outboxtest.Idempotent(t, db, q, m.Body, outboxtest.As(m)).AssertAcked()
	fmt.Println("failed:", t.Failed())
	// Output:
	// invoice-7 to invoices: {"ID":"7","Cents":500}
	// failed: false
}

// An order whose commit fails leaves no message.
func ExampleFailCommit() {
	ctx := context.Background()
	db, box := outboxtest.New(t)
	defer func() { _ = db.Close() }() // in a real test nobody has to
	if _, err := db.ExecContext(ctx, tables); err != nil {
		fmt.Println(err)
	}

	outboxtest.FailCommit(t, db)
	fmt.Println(Place(ctx, db, box, Order{ID: "7", Cents: 500}))
	fmt.Println("sent:", len(outboxtest.Relay(t, box, nil).Messages))
	// Output:
	// outboxtest: the connection was lost before the answer to COMMIT
	// sent: 0
}
