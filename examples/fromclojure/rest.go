package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// theRest stands for the rest of the app: who reads receipts, and who publishes an invoice.
func theRest() fx.Option {
	return fx.Options(consumer.Provide(Receipts), fx.Invoke(SendInvoice))
}

// Receipts prints receipts.
func Receipts() consumer.Spec {
	return consumer.Spec{Queue: "receipts", Timeout: 20 * time.Second, Handler: consumer.JSON(func(_ context.Context, msg consumer.Message[Receipt]) consumer.Result {
		fmt.Println("receipt for invoice", msg.Payload.Number)
		return consumer.Ack()
	})}
}

// SendInvoice publishes an invoice of a customer whom the ledger has.
func SendInvoice(lc fx.Lifecycle, pub publisher.Publisher) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		return pub.Publish(ctx, "invoices", Invoice{Number: 1, CustomerID: "first"}, publisher.Exchange("amq.direct"))
	}))
}

// Ledger stands for a service over the network. It is empty but for one customer.
type Ledger struct {
	mu        sync.Mutex
	customers map[string]bool
	entries   []Invoice
}

// NewLedger makes a Ledger with the customer "first".
func NewLedger() *Ledger { return &Ledger{customers: map[string]bool{"first": true}} }

// SignUp adds a customer.
func (l *Ledger) SignUp(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.customers[id] = true
}

// HasCustomer returns whether a customer has signed up.
func (l *Ledger) HasCustomer(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.customers[id]
}

// Enter enters an invoice, unless ctx has ended.
func (l *Ledger) Enter(ctx context.Context, invoice Invoice) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.entries = append(l.entries, invoice)
	return nil
}
