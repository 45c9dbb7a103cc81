package main

import (
	"errors"
	"testing"

	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox/outboxtest"
)

var order = Order{ID: "7", Customer: "ann", Email: "ann@example.com", Cents: 500}

// opened is a shop in a new database.
func opened(t *testing.T) (o Options, s *Shop) {
	t.Helper()
	db, box := outboxtest.New(t)
	if err := migrate(t.Context(), db, box); err != nil {
		t.Fatal(err)
	}
	o = Options{Prefix: "test"}
	return o, NewShop(o, db, box)
}

func (s *Shop) mustPlace(t *testing.T, o Order) {
	t.Helper()
	if isNew, err := s.Place(t.Context(), o); err != nil || !isNew {
		t.Fatalf("it is new: %t: %v", isNew, err)
	}
}

func quiet(string, string) {}

func TestAnOrderHasOneInvoiceAndThenOneMailWhateverHappensToItsMessages(t *testing.T) {
	o, shop := opened(t)
	shop.mustPlace(t, order)

	sent := outboxtest.Relay(t, shop.box, nil)
	if len(sent.Messages) != 1 || sent.Left.Held != 1 {
		t.Fatalf("the mail does not wait for the invoice: %+v", sent)
	}
	invoice := sent.To(o.InvoiceQueue())[0]
	q := consumertest.New(t, Invoices(o, shop.box, quiet))
	outboxtest.Idempotent(t, shop.db, q, invoice.Body, outboxtest.As(invoice))

	mail := outboxtest.Relay(t, shop.box, nil).To(o.MailQueue())[0]
	q = consumertest.New(t, Mails(o, shop.box, quiet))
	outboxtest.Idempotent(t, shop.db, q, mail.Body, outboxtest.As(mail))

	if n := number(t, shop.db, `SELECT count(*) FROM example_mails WHERE order_id = '7' AND invoice = 1`); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

func TestARejectedOrderLeavesNothing(t *testing.T) {
	_, shop := opened(t)
	_, err := shop.Place(t.Context(), Order{ID: "7", Customer: "ann", Email: "ann@example.com", Cents: credit + 1})
	if !errors.Is(err, ErrNoCredit) {
		t.Errorf("the error is %v", err)
	}
	if sent := outboxtest.Relay(t, shop.box, nil); len(sent.Messages) != 0 || number(t, shop.db, `SELECT count(*) FROM example_orders`) != 0 {
		t.Errorf("it was rejected, and there is something of it: %+v", sent)
	}
}

func TestAnOrderWhoseAnswerWasLostIsPlacedOnce(t *testing.T) {
	_, shop := opened(t)
	outboxtest.FailCommit(t, shop.db)
	if _, err := shop.Place(t.Context(), order); !errors.Is(err, outboxtest.ErrCommit) {
		t.Errorf("the error is %v", err)
	}
	outboxtest.LoseCommit(t, shop.db)
	if _, err := shop.Place(t.Context(), order); !errors.Is(err, outboxtest.ErrCommit) {
		t.Errorf("the error is %v", err)
	}
	if isNew, err := shop.Place(t.Context(), order); err != nil || isNew {
		t.Errorf("it is new: %t: %v", isNew, err)
	}
	if sent := outboxtest.Relay(t, shop.box, nil); len(sent.Messages) != 1 || sent.Left.Held != 1 {
		t.Errorf("sent: %+v", sent)
	}
}

func TestAFailedAttemptGivesItsNumberBack(t *testing.T) {
	o, shop := opened(t)
	o.FailureRate = 0.5
	q := consumertest.New(t, Invoices(o, shop.box, quiet))
	failed := 0
	for i := range 20 {
		runs := q.Life(Order{ID: string(rune('a' + i)), Customer: "ann", Email: "e", Cents: 1})
		failed += len(runs) - 1
	}
	last := number(t, shop.db, `SELECT last FROM example_numbers`)
	if failed == 0 || last != 20 || number(t, shop.db, `SELECT count(*) FROM example_invoices`) != 20 {
		t.Errorf("after %d failed attempts the last number is %d", failed, last)
	}
}

func TestAMailWithoutAnInvoiceIsParked(t *testing.T) {
	o, shop := opened(t)
	q := consumertest.New(t, Mails(o, shop.box, quiet))
	q.Deliver(Mail{Order: "8", To: "ann@example.com"}).AssertParked(monitoring.ReasonError).AssertError(errNoInvoice)
}
