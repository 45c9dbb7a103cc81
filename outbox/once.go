package outbox

import (
	"context"
	"database/sql"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
)

// Once makes a function for consumer.JSON or consumer.Decode of one that writes to the database in
// a transaction. What that one writes is written once for each message id, however often the
// message comes:
//
//	spec.Handler = consumer.JSON(outbox.Once(box,
//		func(ctx context.Context, tx *sql.Tx, m consumer.Message[Order]) consumer.Result {
//			_, err := tx.ExecContext(ctx, `INSERT INTO invoices ...`)
//			return consumer.ResultOf(err)
//		}))
//
// Before h runs, the transaction marks the id as handled by this consumer. The mark, what h writes
// and what it Puts are committed together, and then the message is acked.
//
//	what happens                                 what becomes of the message
//	h returns Ack                                acked, when the transaction is committed
//	h returns anything else                      that; the transaction is rolled back
//	h panics or calls runtime.Goexit             retried; the transaction is rolled back
//	the context ends before the commit           a timeout or interrupted; rolled back
//	the message was handled before               acked; h does not run
//	another copy is being handled                PostgreSQL: waits until that ends, then acked, or h runs
//	another transaction has SQLite               waits up to 5 s, then snoozed
//	the commit fails, or nobody knows            retried; acked then if it was committed
//	h commits or rolls back itself               retried; acked then if it was committed
//	the database is away                         retried, with the error; h does not run
//	the publisher has set no message id          parked; h does not run
//	it was published longer ago than Keep        parked; h does not run (AnyAge: it does)
//	it was redriven, and nobody knows its age    parked; h does not run (AnyAge: it does)
//	the process dies                             delivered again; acked then if it was committed
//
// If the message is a row of a job, the same commit marks the row as done, and releases the rows
// that need it. Only Once does that. When h has put rows, or rows were released, relays of this Box
// look for them at once.
//
// A message that was published longer ago than Config.Keep is parked with that reason, because the
// mark of its first run may be gone. Its age counts from its timestamp, or from when it was due if
// it was published with a delay. A timestamp more than a day ahead is none. A message without one
// is refused only when it was redriven: otherwise it is taken to be young.
//
// Each handler has a connection of the pool for as long as it runs, so give the pool as many as the
// consumer's Concurrency, and four for a relay. On SQLite one handler runs at a time, of all
// processes. Slow work, such as a call of an API, does not belong in h. Where the database may be
// away for longer than the consumer's retries take, put use.Breaker into Spec.Use.
//
// It does not promise that h runs once, only that what it writes with tx is written once: an
// effect outside of this transaction, such as a mail, happens in each run. Copies of a message that
// were published more than a day apart may both run, if the second is handled near the end of its
// Keep.
//
// h must not end the transaction by an SQL statement of its own, COMMIT or ROLLBACK: PostgreSQL
// tells nobody, and the message is acked. Marks are those of one consumer, by its Spec.Name, which
// is the queue unless it is set: a consumer of another name, or that was renamed, knows none of
// them. Middleware around Once must not make an Ack of another Result.
//
// A nil box or h makes nil, which consumer.New refuses.
func Once[T any](box *Box, h func(ctx context.Context, tx *sql.Tx, m consumer.Message[T]) consumer.Result, opts ...OnceOption) func(context.Context, consumer.Message[T]) consumer.Result {
	if box == nil || box.db == nil || h == nil {
		return nil
	}
	return func(ctx context.Context, m consumer.Message[T]) consumer.Result {
		var own *sql.Tx
		begin := func(ctx context.Context) (tx.Unit, error) {
			var err error
			if own, err = box.db.BeginTx(ctx, box.dialect.isolation()); err != nil {
				return nil, err
			}
			return tx.Begun(own), nil
		}
		run := func() consumer.Result { return h(ctx, own, m) }
		return box.OnceInside(ctx, m.Delivery, begin, run, opts...)
	}
}

// OnceOption changes what Once refuses.
type OnceOption func(*onceSettings)

type onceSettings struct{ anyAge bool }

// AnyAge has Once handle a message although it was published longer ago than Config.Keep, or nobody
// knows when. It is for a handler that can bear such a message twice.
func AnyAge() OnceOption { return func(s *onceSettings) { s.anyAge = true } }

// OnceInside is Once for the transactions of another library. run is called in the transaction that
// begin has begun last. The types are internal: it is for package outbox/pgx.
func (b *Box) OnceInside(ctx context.Context, d consumer.Delivery, begin func(context.Context) (tx.Unit, error), run func() consumer.Result, opts ...OnceOption) consumer.Result {
	var s onceSettings
	for _, o := range opts {
		if o != nil {
			o(&s)
		}
	}
	if err := b.refuse(&d, s.anyAge); err != nil {
		return consumer.Error(err)
	}
	h, err := b.mark(ctx, &d, begin)
	switch {
	case err != nil:
		return unhandled(err)
	case !h.fresh:
		return h.repeat(ctx)
	}
	return h.run(ctx, run)
}

// isolation returns the options of a transaction whose statements see what was committed before
// each of them, whatever the database's default is. With another isolation a statement that has
// waited for a row fails. SQLite has one isolation.
func (d Dialect) isolation() *sql.TxOptions {
	if d == Postgres {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}
