package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// Order is what a customer buys. The client gives it its id, so that it can ask again when it gets
// no answer.
type Order struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Email    string `json:"email"`
	Cents    int    `json:"cents"`
}

// Validate says what is missing.
func (o Order) Validate() error {
	if o.ID == "" || o.Customer == "" || o.Email == "" || o.Cents <= 0 {
		return errors.New("an order has an id, a customer, an email and an amount above 0 cents")
	}
	return nil
}

// Mail is what is sent to the customer when the invoice is there.
type Mail struct {
	Order string `json:"order"`
	To    string `json:"to"`
}

// Messages have ids that follow from their order's. So nobody can put them twice, and whoever looks
// at a queue sees whose they are.
func invoiceID(order string) string { return "invoice-" + order }
func mailID(order string) string    { return "mail-" + order }

// credit is for how much one order may be.
const credit = 1000_00

// ErrNoCredit says that the order was rejected.
var ErrNoCredit = errors.New("the customer has no credit for it")

// Shop places orders.
type Shop struct {
	db              *sql.DB
	box             *outbox.Box
	invoices, mails string // queues
}

// NewShop makes a Shop.
func NewShop(o Options, db *sql.DB, box *outbox.Box) *Shop {
	return &Shop{db, box, o.InvoiceQueue(), o.MailQueue()}
}

// Place writes an order, and puts what is to be done about it. It is new unless the same order was
// placed before. After any error but ErrNoCredit it is not known whether the order was placed, for
// the answer to a COMMIT can be lost, and the client asks again.
func (s *Shop) Place(ctx context.Context, o Order) (isNew bool, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	isNew, err = s.place(ctx, tx, o)
	if err != nil || !isNew {
		return false, err
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("order %s: %w", o.ID, err)
	}
	s.box.Kick() // now rather than at the next poll
	return true, nil
}

func (s *Shop) place(ctx context.Context, tx *sql.Tx, o Order) (isNew bool, err error) {
	result, err := tx.ExecContext(ctx, `INSERT INTO example_orders (id, customer, email, cents)
		VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`, o.ID, o.Customer, o.Email, o.Cents)
	if err != nil {
		return false, fmt.Errorf("order %s: %w", o.ID, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	// One customer's invoices are published in the order in which they were placed. The mail waits
	// until the invoice is written.
	job := outbox.Job(o.ID)
	err = s.box.Put(ctx, tx, s.invoices, o, outbox.ID(invoiceID(o.ID)), outbox.Key(o.Customer), job)
	if err != nil {
		return false, err
	}
	mail := Mail{Order: o.ID, To: o.Email}
	err = s.box.Put(ctx, tx, s.mails, mail, outbox.ID(mailID(o.ID)), outbox.After(invoiceID(o.ID)), job)
	if err != nil {
		return false, err
	}
	// A service would look at this first. Here the rollback is to be seen.
	if o.Cents > credit {
		return false, fmt.Errorf("order %s of %d cents: %w", o.ID, o.Cents, ErrNoCredit)
	}
	return true, nil
}

// Status is how far an order is.
func (s *Shop) Status(ctx context.Context, id string) (outbox.JobStatus, error) {
	return s.box.Job(ctx, id)
}

// cancelAll takes back the messages of all orders that are not published yet.
func cancelAll(ctx context.Context, db *sql.DB, box *outbox.Box) error {
	var ids []string
	// the mail needs the invoice
	every := func(id string, _ int) { ids = append(ids, mailID(id), invoiceID(id)) }
	if err := pairs(ctx, db, `SELECT id, cents FROM example_orders`, every); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for _, id := range ids {
		// it is published
		if err := box.Cancel(ctx, tx, id); err != nil && !errors.Is(err, outbox.ErrUnknown) {
			return err
		}
	}
	return tx.Commit()
}
