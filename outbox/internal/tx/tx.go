// Package tx is what package outbox needs of a transaction, whichever library it belongs to.
package tx

import (
	"context"
	"database/sql"
)

// Tx runs statements in one transaction, or in one database.
type Tx interface {
	// Exec runs a statement and returns how many rows it has changed.
	Exec(ctx context.Context, query string, args ...any) (int64, error)

	// QueryRow reads the first row of the answer. The error is sql.ErrNoRows if there is none.
	QueryRow(ctx context.Context, query string, args []any, into ...any) error
}

// Querier is what a *sql.Tx, a *sql.Conn and a *sql.DB can do.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Of makes a Tx of one of database/sql.
func Of(q Querier) Tx { return standard{q} }

type standard struct{ q Querier }

func (s standard) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := s.q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (s standard) QueryRow(ctx context.Context, query string, args []any, into ...any) error {
	return s.q.QueryRowContext(ctx, query, args...).Scan(into...)
}

// Unit is a transaction that whoever holds it ends.
type Unit interface {
	Tx

	// Commit returns sql.ErrTxDone, or an error that wraps it, if the transaction has ended before.
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
}

// Begun makes a Unit of a transaction of database/sql, which ends with the context that it was
// begun with.
func Begun(t *sql.Tx) Unit { return begun{standard{t}, t} }

type begun struct {
	standard
	tx *sql.Tx
}

func (b begun) Commit(context.Context) error   { return b.tx.Commit() }
func (b begun) Rollback(context.Context) error { return b.tx.Rollback() }
