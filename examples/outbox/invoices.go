package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// Invoices writes the invoice of each order, once.
func Invoices(o Options, box *outbox.Box, tell Teller) consumer.Spec {
	return consumer.Spec{
		Queue:      o.InvoiceQueue(),
		MaxRetries: maxRetries,
		Backoff:    backoff,
		Prefetch:   8, // what a killed worker has taken comes back, and counts as returned
		Use:        []consumer.Middleware{tell.took("invoice")},
		Handler:    consumer.JSON(outbox.Once(box, Invoicing{o.troubles()}.Write)),
	}
}

// The database may be away, and then all that is taken is retried.
const maxRetries = 30

var backoff = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}

// Invoicing is the handler of Invoices.
type Invoicing struct{ fails troubles }

// Write takes the next number and writes the invoice. An attempt that ends after that with anything
// but an Ack gives the number back, for the transaction is rolled back.
func (i Invoicing) Write(ctx context.Context, tx *sql.Tx, m consumer.Message[Order]) consumer.Result {
	var number int
	err := tx.QueryRowContext(ctx, `UPDATE example_numbers SET last = last + 1 RETURNING last`).Scan(&number)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO example_invoices (order_id, number, cents) VALUES ($1, $2, $3)`,
			m.Payload.ID, number, m.Payload.Cents)
	}
	if err == nil {
		err = i.fails(m.MessageID, m.Attempt)
	}
	if err != nil {
		return consumer.Retry(fmt.Errorf("invoice of order %s: %w", m.Payload.ID, err))
	}
	return consumer.Ack()
}

// troubles fails some attempts, after their work.
type troubles func(id string, attempt int) error

var errTrouble = errors.New("something has gone wrong after the work")

func (o Options) troubles() troubles {
	return func(id string, attempt int) error {
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%d %s %d", o.Seed, id, attempt)
		if float64(h.Sum64()%1000) < 1000*o.FailureRate {
			return errTrouble
		}
		return nil
	}
}
