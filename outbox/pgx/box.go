package pgxoutbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Box is an outbox.Box whose Put, Cancel and Once take transactions of pgx. It is safe for use by
// many goroutines at once.
type Box struct {
	*outbox.Box

	pool *pgxpool.Pool // immutable
	db   *sql.DB       // takes its connections from the pool; immutable
}

// New makes a Box of a pool, which stays yours. It does not connect. The error has a line for each
// thing that is wrong.
func New(pool *pgxpool.Pool, cfg ...outbox.Config) (*Box, error) {
	if pool == nil {
		return nil, errors.New("outbox: the pool is nil")
	}
	db := stdlib.OpenDBFromPool(pool)
	box, err := outbox.New(db, outbox.Postgres, cfg...)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Box{Box: box, pool: pool, db: db}, nil
}

// Close ends what New has begun, and leaves the pool open. Call it when relays and consumers have
// stopped, and before the pool is closed.
func (b *Box) Close() error { return b.db.Close() }

// Put is that of outbox.Box, in a transaction of pgx.
func (b *Box) Put(ctx context.Context, in pgx.Tx, routingKey string, payload any, opts ...publisher.Option) error {
	if isNil(in) {
		return b.Box.Put(ctx, nil, routingKey, payload, opts...) // says so
	}
	return b.PutInside(ctx, inside{in}, routingKey, payload, opts...)
}

// Cancel is that of outbox.Box, in a transaction of pgx.
func (b *Box) Cancel(ctx context.Context, in pgx.Tx, id string) error {
	if isNil(in) {
		return b.Box.Cancel(ctx, nil, id) // says so
	}
	return b.CancelInside(ctx, inside{in}, id)
}

func isNil(in pgx.Tx) bool {
	v := reflect.ValueOf(in)
	return in == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// inside is a tx.Tx.
type inside struct{ pgx.Tx }

var _ tx.Tx = inside{}

func (i inside) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := i.Tx.Exec(ctx, query, args...)
	return tag.RowsAffected(), standard(err)
}

func (i inside) QueryRow(ctx context.Context, query string, args []any, into ...any) error {
	return standard(i.Tx.QueryRow(ctx, query, args...).Scan(into...))
}

// standard adds the error of database/sql for a transaction that has ended. pgx.ErrNoRows has that
// for no rows already.
func standard(err error) error {
	if errors.Is(err, pgx.ErrTxClosed) {
		return fmt.Errorf("%w: %w", sql.ErrTxDone, err)
	}
	return err
}
