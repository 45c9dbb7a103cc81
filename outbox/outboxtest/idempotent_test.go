package outboxtest_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/outbox/outboxtest"
)

func TestAHandlerOfOnceIsIdempotent(t *testing.T) {
	proof := func(t *testing.T) {
		db, box := open(t)
		ran := 0
		q := consumertest.New(t, spec(consumer.JSON(outbox.Once(box, func(ctx context.Context, tx *sql.Tx, m consumer.Message[Order]) consumer.Result {
			ran++
			return Invoice(ctx, tx, m)
		}))))
		run := outboxtest.Idempotent(t, db, q, Order{"7", 500}, consumertest.MessageID("invoice-7"))
		if run.AssertAcked(); run.Delivery.MessageId != "invoice-7" || ran != 2 || count(t, db, "invoices") != 1 {
			t.Errorf("%d runs, %d invoices: %s", ran, count(t, db, "invoices"), run)
		}
	}
	t.Run("in real time", proof)
	t.Run("in a bubble", func(t *testing.T) { synctest.Test(t, proof) })
}

func TestAConsumerWithoutRetriesIsDeliveredToAnew(t *testing.T) {
	db, box := open(t)
	s := Invoices(box)
	s.MaxRetries, s.Backoff = consumer.NoRetries, nil
	outboxtest.Idempotent(t, db, consumertest.New(t, s), Order{"7", 500}).AssertAcked()
}

func TestWhatAHandlerPutsIsAnEffect(t *testing.T) {
	db, box := open(t)
	q := consumertest.New(t, spec(consumer.JSON(outbox.Once(box, func(ctx context.Context, tx *sql.Tx, m consumer.Message[Order]) consumer.Result {
		return consumer.ResultOf(box.Put(ctx, tx, "mails", m.Payload))
	}))))
	outboxtest.Idempotent(t, db, q, Order{"7", 500})
	if sent := outboxtest.Relay(t, box, nil); len(sent.Messages) != 1 {
		t.Errorf("%d mails were sent, want 1", len(sent.Messages))
	}
}

// Handlers that are wrong, each in its own way.
func TestWhatIsNotIdempotentIsToldWithTheRowsThatShowIt(t *testing.T) {
	const insert = `INSERT INTO invoices (order_id, cents) VALUES ($1, $2)`
	type transactional = func(ctx context.Context, tx *sql.Tx, o Order) error
	// without Once
	plain := func(db *sql.DB, work transactional) consumer.Handler {
		return consumer.JSON(func(ctx context.Context, m consumer.Message[Order]) consumer.Result {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return consumer.Retry(err)
			}
			defer func() { _ = tx.Rollback() }()
			if err := work(ctx, tx, m.Payload); err != nil {
				return consumer.Error(err)
			}
			return consumer.ResultOf(tx.Commit())
		})
	}
	invoice := func(ctx context.Context, tx *sql.Tx, o Order) error {
		_, err := tx.ExecContext(ctx, insert, o.ID, o.Cents)
		return err
	}
	for name, test := range map[string]struct {
		handler func(db *sql.DB, box *outbox.Box) consumer.Handler
		says    []string
	}{
		"it inserts again": {
			func(db *sql.DB, _ *outbox.Box) consumer.Handler { return plain(db, invoice) },
			[]string{"an effect has happened twice: the answer to its commit was lost", "table invoices:", "+ order_id=7 cents=500", "settlement acked"},
		},
		"it adds again": {
			func(db *sql.DB, _ *outbox.Box) consumer.Handler {
				return plain(db, func(ctx context.Context, tx *sql.Tx, o Order) error {
					_, err := tx.ExecContext(ctx, `UPDATE orders SET cents = cents + $1`, o.Cents)
					return err
				})
			},
			[]string{"an effect has happened twice", "table orders:\n\t\t- id=sum cents=500\n\t\t+ id=sum cents=1000"},
		},
		"it puts again": {
			func(db *sql.DB, box *outbox.Box) consumer.Handler {
				return plain(db, func(ctx context.Context, tx *sql.Tx, o Order) error { return box.Put(ctx, tx, "mails", o) })
			},
			[]string{"an effect has happened twice", "table bunnicula_outbox:", "routing_key=mails"},
		},
		"it believes its attempt": {
			func(db *sql.DB, _ *outbox.Box) consumer.Handler {
				work := plain(db, invoice)
				return func(ctx context.Context, d consumer.Delivery) consumer.Result {
					if d.Attempt > 2 {
						return consumer.Ack()
					}
					return work(ctx, d)
				}
			},
			[]string{"an effect has happened twice: it was published twice, and its copy has come", "+ order_id=7 cents=500"},
		},
		"it forgets what it has done": {
			func(db *sql.DB, _ *outbox.Box) consumer.Handler {
				work, runs := plain(db, invoice), 0
				return func(ctx context.Context, d consumer.Delivery) consumer.Result {
					if runs++; runs == 3 {
						return consumer.Ack()
					}
					return work(ctx, d)
				}
			},
			[]string{"an effect has happened twice: its ack was lost, and the broker has delivered it again", "+ order_id=7 cents=500"},
		},
		"it writes outside of its transaction": {
			func(db *sql.DB, box *outbox.Box) consumer.Handler {
				return consumer.JSON(func(ctx context.Context, m consumer.Message[Order]) consumer.Result {
					if _, err := db.ExecContext(ctx, insert, m.Payload.ID, m.Payload.Cents); err != nil {
						return consumer.Error(err)
					}
					return outbox.Once(box, Invoice)(ctx, m)
				})
			},
			[]string{"the handler writes outside of its transaction", "+ order_id=7 cents=500"},
		},
		"it does not look at its commit": {
			func(db *sql.DB, _ *outbox.Box) consumer.Handler {
				return consumer.JSON(func(ctx context.Context, m consumer.Message[Order]) consumer.Result {
					tx, err := db.BeginTx(ctx, nil)
					if err == nil {
						err = invoice(ctx, tx, m.Payload)
					}
					if err == nil {
						_ = tx.Commit()
					}
					return consumer.ResultOf(err)
				})
			},
			[]string{"the message was acked, and the commit of its transaction had failed"},
		},
		"it writes nothing": {
			func(_ *sql.DB, box *outbox.Box) consumer.Handler {
				return consumer.JSON(outbox.Once(box, func(context.Context, *sql.Tx, consumer.Message[Order]) consumer.Result { return consumer.Ack() }))
			},
			[]string{"the handler has no effect on any table, so there is nothing to prove"},
		},
		"it uses no transaction": {
			func(*sql.DB, *outbox.Box) consumer.Handler {
				return consumer.JSON(func(context.Context, consumer.Message[Order]) consumer.Result { return consumer.Ack() })
			},
			[]string{"the handler has committed no transaction of this database at the first delivery"},
		},
		"it cannot read the message": {
			func(*sql.DB, *outbox.Box) consumer.Handler {
				return consumer.JSON(func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() })
			},
			[]string{"the handler was not run at the first delivery", "undecodable"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, box := open(t)
			if _, err := db.ExecContext(t.Context(), `INSERT INTO orders (id, cents) VALUES ('sum', 0)`); err != nil {
				t.Fatal(err)
			}
			q := consumertest.New(t, spec(test.handler(db, box)))
			said := says(t, func(f *failing) { outboxtest.Idempotent(f, db, q, Order{"7", 500}) })
			mustSay(t, said, test.says...)
		})
	}
}

func TestAMessageThatIsDoneIsToBeAcked(t *testing.T) {
	db, box := open(t)
	done := errors.New("done before")
	q := consumertest.New(t, spec(consumer.JSON(func(ctx context.Context, m consumer.Message[Order]) consumer.Result {
		if count(t, db, "invoices") > 0 {
			return consumer.Error(done)
		}
		return outbox.Once(box, Invoice)(ctx, m)
	})))
	said := says(t, func(f *failing) { outboxtest.Idempotent(f, db, q, Order{"7", 500}) })
	mustSay(t, said, "a message that is done was not acked: the answer to its commit was lost", "done before")
}

func TestACommitThatFailsAndOneWhoseAnswerIsLost(t *testing.T) {
	db, box := open(t)
	q := consumertest.New(t, Invoices(box))

	outboxtest.FailCommit(t, db)
	run := q.Deliver(Order{"7", 500}).AssertRetriedFor(monitoring.ReasonRetry, time.Second).AssertError(outboxtest.ErrCommit)
	if n := count(t, db, "invoices"); n != 0 {
		t.Errorf("%d invoices after a commit that failed", n)
	}
	outboxtest.LoseCommit(t, db)
	run = q.Next(run).AssertRetried(time.Second).AssertError(outboxtest.ErrCommit)
	if n := count(t, db, "invoices"); n != 1 {
		t.Errorf("%d invoices after a commit whose answer was lost", n)
	}
	q.Next(run).AssertAcked()
	if n := count(t, db, "invoices"); n != 1 {
		t.Errorf("%d invoices in the end", n)
	}
}

func TestOnlyADatabaseOfTheKitCanBeToldToFail(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	said := says(t, func(f *failing) { outboxtest.FailCommit(f, db) })
	mustSay(t, said, "the database is not one that outboxtest.New has made")
}

func TestASecondTransactionDoesNotBeginBesideTheFirst(t *testing.T) {
	db, _ := open(t)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// instead of 5 s
	if _, err := conn.ExecContext(t.Context(), `PRAGMA busy_timeout = 0`); err != nil {
		t.Fatal(err)
	}
	first, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Rollback() }()
	if second, err := conn.BeginTx(t.Context(), nil); err == nil {
		t.Error("it has begun", second.Rollback())
	} else {
		mustSay(t, err.Error(), "database is locked")
	}
	if n := count(t, db, "orders"); n != 0 { // who only reads need not wait
		t.Errorf("%d orders", n)
	}
}
