package pgxoutbox

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
)

// Once is outbox.Once with a transaction of pgx. What becomes of a message is the same, and what is
// not promised too. A COMMIT or ROLLBACK that h runs as a statement is noticed here: the message is
// retried, as after a call of those methods.
//
// A nil box or h makes nil, which consumer.New refuses.
func Once[T any](box *Box, h func(ctx context.Context, tx pgx.Tx, m consumer.Message[T]) consumer.Result, opts ...outbox.OnceOption) func(context.Context, consumer.Message[T]) consumer.Result {
	if box == nil || box.pool == nil || h == nil {
		return nil
	}
	return func(ctx context.Context, m consumer.Message[T]) consumer.Result {
		var own *unit
		begin := func(ctx context.Context) (_ tx.Unit, err error) {
			own, err = box.begin(ctx)
			return own, err
		}
		run := func() consumer.Result { return h(ctx, own.Tx, m) }
		return box.OnceInside(ctx, m.Delivery, begin, run, opts...)
	}
}

// unit is a transaction and its connection. The goroutine of one message uses it.
type unit struct {
	inside
	conn *pgxpool.Conn // nil when it is the pool's again
}

// begin begins a transaction on a connection that stays ours when the handler ends it.
func (b *Box) begin(ctx context.Context) (*unit, error) {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	t, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		conn.Release()
		return nil, err
	}
	return &unit{inside{t}, conn}, nil
}

// Commit looks at the connection first. If the handler has ended the transaction by a statement,
// PostgreSQL would answer that it has committed, with a warning.
func (u *unit) Commit(ctx context.Context) error {
	if u.conn.Conn().PgConn().TxStatus() == 'I' {
		return sql.ErrTxDone
	}
	if err := u.Tx.Commit(ctx); err != nil {
		return standard(err)
	}
	u.release()
	return nil
}

// Rollback gives the connection back. The pool closes one whose transaction has not ended.
func (u *unit) Rollback(ctx context.Context) error {
	defer u.release()
	return u.Tx.Rollback(ctx)
}

func (u *unit) release() {
	if u.conn != nil {
		u.conn.Release()
		u.conn = nil
	}
}
