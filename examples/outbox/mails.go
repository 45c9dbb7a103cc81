package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// Mails sends the mail of each order. It is put to be sent after the invoice was written.
func Mails(o Options, box *outbox.Box, tell Teller) consumer.Spec {
	return consumer.Spec{
		Queue:      o.MailQueue(),
		MaxRetries: maxRetries,
		Backoff:    backoff,
		Prefetch:   8,
		Use:        []consumer.Middleware{tell.took("mail")},
		Handler:    consumer.JSON(outbox.Once(box, Mailing{o.troubles()}.Send)),
	}
}

// Mailing is the handler of Mails.
type Mailing struct{ fails troubles }

var errNoInvoice = errors.New("it has no invoice")

// Send writes the mail into a table, which stands for a mailbox. A mail server takes no part in a
// transaction: a service gives it the message id as the mail's, by which the server, or the
// reader's program, knows a mail that comes twice.
func (l Mailing) Send(ctx context.Context, tx *sql.Tx, m consumer.Message[Mail]) consumer.Result {
	var invoice int
	err := tx.QueryRowContext(ctx, `SELECT number FROM example_invoices WHERE order_id = $1`, m.Payload.Order).Scan(&invoice)
	if errors.Is(err, sql.ErrNoRows) {
		// and waiting would not help
		return consumer.Error(fmt.Errorf("mail of order %s: %w", m.Payload.Order, errNoInvoice))
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO example_mails (order_id, email, invoice) VALUES ($1, $2, $3)`,
			m.Payload.Order, m.Payload.To, invoice)
	}
	if err == nil {
		err = l.fails(m.MessageID, m.Attempt)
	}
	if err != nil {
		return consumer.Retry(fmt.Errorf("mail of order %s: %w", m.Payload.Order, err))
	}
	return consumer.Ack()
}
