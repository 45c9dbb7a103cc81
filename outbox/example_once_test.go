package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

type Order struct{ Number, Cents int }

// Invoices writes an invoice for each order, and puts a mail about it. Both are there, or neither.
func Invoices(box *outbox.Box) consumer.Spec {
	return consumer.Spec{
		Queue: "invoices",
		Handler: consumer.JSON(outbox.Once(box, func(ctx context.Context, tx *sql.Tx, m consumer.Message[Order]) consumer.Result {
			if m.Payload.Cents <= 0 {
				return consumer.Error(errors.New("nothing to pay"))
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO invoices (number, cents) VALUES ($1, $2)`, m.Payload.Number, m.Payload.Cents); err != nil {
				return consumer.Retry(err)
			}
			return consumer.ResultOf(box.Put(ctx, tx, "mails", "your invoice", outbox.ID("mail-"+m.MessageID)))
		})),
	}
}

// A message that comes again is acked, and its handler does not run.
func ExampleOnce() {
	ctx, t := context.Background(), new(testing.T) // in a real test t is the test's own
	db, _ := sql.Open("sqlite", ":memory:")
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // a database in memory is that of one connection
	box, _ := outbox.New(db, outbox.SQLite)
	_ = box.Migrate(ctx)
	_, _ = db.ExecContext(ctx, `CREATE TABLE invoices (number INTEGER, cents INTEGER)`)

	q := consumertest.New(t, Invoices(box))
	run := q.Deliver(Order{Number: 7, Cents: 500}).AssertAcked()
	q.Redeliver(run).AssertAcked()
	q.Deliver(Order{Number: 8})

	var invoices, mails int
	_ = db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM invoices), (SELECT COUNT(*) FROM bunnicula_outbox)`).Scan(&invoices, &mails)
	fmt.Println(invoices, "invoice,", mails, "mail, failed:", t.Failed())
	// Output: 1 invoice, 1 mail, failed: false
}
