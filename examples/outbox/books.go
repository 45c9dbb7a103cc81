package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// Books are what a run has left in the tables, by order.
type Books struct {
	Orders   map[string]bool
	Invoices map[string][]int // the numbers of its invoices
	Mails    map[string][]int // the invoices that its mails name
	Jobs     map[string]outbox.JobStatus
	Last     int // the number of the last invoice, and how many there are: those of other runs, too
	Written  int
}

// readBooks reads the tables. The ids of a run's orders begin with its name.
func readBooks(ctx context.Context, db *sql.DB, run string) (Books, error) {
	b := Books{Orders: map[string]bool{}, Invoices: map[string][]int{}, Mails: map[string][]int{}}
	like := run + "-%"
	err := errors.Join(
		pairs(ctx, db, `SELECT id, cents FROM example_orders WHERE id LIKE $1`, func(id string, _ int) { b.Orders[id] = true }, like),
		pairs(ctx, db, `SELECT order_id, number FROM example_invoices WHERE order_id LIKE $1`,
			func(id string, n int) { b.Invoices[id] = append(b.Invoices[id], n) }, like),
		pairs(ctx, db, `SELECT order_id, invoice FROM example_mails WHERE order_id LIKE $1`,
			func(id string, n int) { b.Mails[id] = append(b.Mails[id], n) }, like),
		db.QueryRowContext(ctx, `SELECT last, (SELECT count(*) FROM example_invoices) FROM example_numbers`).Scan(&b.Last, &b.Written),
	)
	return b, err
}

// pairs calls f for each row of an answer.
func pairs(ctx context.Context, db *sql.DB, query string, f func(id string, n int), args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return err
		}
		f(id, n)
	}
	return rows.Err()
}

// mailed counts the orders that have a mail.
func mailed(ctx context.Context, db *sql.DB, run string) (n int, err error) {
	err = db.QueryRowContext(ctx, `SELECT count(DISTINCT order_id) FROM example_mails WHERE order_id LIKE $1`, run+"-%").Scan(&n)
	return n, err
}

// readJobs asks the outbox how far each order is. It knows nothing of one that was rejected.
func (b *Books) readJobs(ctx context.Context, box *outbox.Box, all []Order) error {
	b.Jobs = map[string]outbox.JobStatus{}
	for _, o := range all {
		job, err := box.Job(ctx, o.ID)
		switch {
		case errors.Is(err, outbox.ErrUnknown):
		case err != nil:
			return err
		default:
			b.Jobs[o.ID] = job
		}
	}
	return nil
}
