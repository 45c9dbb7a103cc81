package pgxoutbox_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/oncetest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
	pgxoutbox "github.com/bunnicula-go/bunnicula/outbox/pgx"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// boxOf makes a Box with tables in a database of the test's own.
func boxOf(t *testing.T, w *oncetest.Wire) (*pgxoutbox.Box, *pgxpool.Pool) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.DialFunc, cfg.MaxConns = w.Dial, 2
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	box, err := pgxoutbox.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	if err := box.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return box, pool
}

// kindOf has messages handled once by pgx.
func kindOf(t *testing.T, w *oncetest.Wire) oncetest.Kind {
	t.Helper()
	box, pool := boxOf(t, w)
	if _, err := pool.Exec(t.Context(), oncetest.Effects); err != nil {
		t.Fatal(err)
	}
	return oncetest.Kind{
		Box: box.Box, DB: pgtest.DB(t),
		Once: func(h oncetest.Handle, opts ...outbox.OnceOption) consumer.Handler {
			return consumer.JSON(pgxoutbox.Once(box, func(ctx context.Context, tx pgx.Tx, m consumer.Message[string]) consumer.Result {
				return h(ctx, oncetest.Tx{
					Exec: func(ctx context.Context, statement string) error {
						_, err := tx.Exec(ctx, statement)
						return err
					},
					Commit:   func() error { return tx.Commit(ctx) },
					Rollback: func() error { return tx.Rollback(ctx) },
					Put: func(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) error {
						return box.Put(ctx, tx, routingKey, payload, opts...)
					},
				}, m)
			}, opts...))
		},
	}
}

func TestOnceWithPgx(t *testing.T) {
	amqptest.Long(t)
	oncetest.Check(t, func(t *testing.T) oncetest.Kind { return kindOf(t, new(oncetest.Wire)) }, func(t *testing.T, test func(t *testing.T)) { test(t) })
}

func TestOnceWithPgxOnAPostgreSQLThatFails(t *testing.T) {
	amqptest.Long(t)
	oncetest.Faults(t, kindOf)
}

func TestRowsArePutAndCancelledWithTheTransaction(t *testing.T) {
	amqptest.Long(t)
	box, pool := boxOf(t, new(oncetest.Wire))
	in := func(end func(tx pgx.Tx) error, f func(tx pgx.Tx) error) {
		t.Helper()
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f(tx), end(tx)); err != nil {
			t.Fatal(err)
		}
	}
	commit := func(tx pgx.Tx) error { return tx.Commit(t.Context()) }
	rollback := func(tx pgx.Tx) error { return tx.Rollback(t.Context()) }
	put := func(id string, opts ...publisher.Option) func(tx pgx.Tx) error {
		return func(tx pgx.Tx) error {
			return box.Put(t.Context(), tx, "emails", "mail", append(opts, outbox.ID(id))...)
		}
	}
	waiting := func(want int) {
		t.Helper()
		if s, err := box.Stats(t.Context()); err != nil || s.Waiting+s.Delayed+s.Held != want {
			t.Errorf("%+v, %v; want %d", s, err, want)
		}
	}
	in(rollback, put("a"))
	waiting(0)
	in(commit, put("a", outbox.Job("import"), outbox.Key("k"), publisher.Header("n", 7)))
	in(commit, put("b", outbox.After("a"), publisher.Delay(time.Hour)))
	waiting(2)
	in(commit, func(tx pgx.Tx) error { // all errors leave the transaction as it is
		nested, err := tx.Begin(t.Context())
		if err != nil {
			return err
		}
		if err := errors.Join(put("d")(nested), nested.Rollback(t.Context())); err != nil {
			return err
		}
		for name, test := range map[string]struct{ err, want error }{
			"duplicate": {put("a")(tx), outbox.ErrDuplicate}, "unknown": {put("c", outbox.After("nobody"))(tx), outbox.ErrUnknown},
			"needed": {box.Cancel(t.Context(), tx, "a"), outbox.ErrNeeded}, "not there": {box.Cancel(t.Context(), tx, "nobody"), outbox.ErrUnknown},
		} {
			if !errors.Is(test.err, test.want) {
				t.Errorf("%s: %v", name, test.err)
			}
		}
		return box.Cancel(t.Context(), tx, "b")
	})
	waiting(1)
	in(func(pgx.Tx) error { return nil }, func(tx pgx.Tx) error {
		if err := tx.Commit(t.Context()); err != nil {
			return err
		}
		if err := put("e")(tx); !errors.Is(err, sql.ErrTxDone) || !errors.Is(err, pgx.ErrTxClosed) || !strings.Contains(err.Error(), "the transaction has ended") {
			t.Errorf("in one that has ended: %v", err)
		}
		return nil
	})
	waiting(1)
}
