package outboxtest_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/outbox/outboxtest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Order is what the tests sell.
type Order struct {
	ID    string
	Cents int
}

// Place writes an order, and puts the message that has its invoice written.
func Place(ctx context.Context, db *sql.DB, box *outbox.Box, o Order, opts ...publisher.Option) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `INSERT INTO orders (id, cents) VALUES ($1, $2)`, o.ID, o.Cents); err != nil {
		return err
	}
	if err := box.Put(ctx, tx, "invoices", o, append(opts, outbox.ID("invoice-"+o.ID))...); err != nil {
		return err
	}
	return tx.Commit()
}

// Invoices writes invoices.
func Invoices(box *outbox.Box) consumer.Spec {
	return spec(consumer.JSON(outbox.Once(box, Invoice)))
}

// Invoice is the handler of Invoices.
func Invoice(ctx context.Context, tx *sql.Tx, m consumer.Message[Order]) consumer.Result {
	_, err := tx.ExecContext(ctx, `INSERT INTO invoices (order_id, cents) VALUES ($1, $2)`, m.Payload.ID, m.Payload.Cents)
	return consumer.ResultOf(err)
}

func spec(h consumer.Handler) consumer.Spec {
	return consumer.Spec{Queue: "invoices", MaxRetries: 3, Backoff: []time.Duration{time.Second}, Handler: h}
}

const tables = `CREATE TABLE orders (id TEXT PRIMARY KEY, cents INTEGER); CREATE TABLE invoices (order_id TEXT, cents INTEGER)`

// open makes the outbox of a shop.
func open(t *testing.T, cfg ...outbox.Config) (*sql.DB, *outbox.Box) {
	t.Helper()
	db, box := outboxtest.New(t, cfg...)
	if _, err := db.ExecContext(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	return db, box
}

func count(t *testing.T, db *sql.DB, table string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func place(t *testing.T, db *sql.DB, box *outbox.Box, o Order, opts ...publisher.Option) {
	t.Helper()
	if err := Place(t.Context(), db, box, o, opts...); err != nil {
		t.Fatal(err)
	}
}
