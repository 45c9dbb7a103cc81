package outbox_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/oncetest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// kindOf has messages handled once by database/sql.
func kindOf(t *testing.T, db *sql.DB, dialect outbox.Dialect) oncetest.Kind {
	t.Helper()
	box := newBox(t, db, dialect)
	if _, err := db.ExecContext(context.Background(), oncetest.Effects); err != nil {
		t.Fatal(err)
	}
	return oncetest.Kind{
		Box: box, DB: db, SQLite: dialect == outbox.SQLite, Blind: dialect == outbox.Postgres,
		Kicked: func() bool { return outbox.Kicked(box) },
		Once: func(h oncetest.Handle, opts ...outbox.OnceOption) consumer.Handler {
			return consumer.JSON(outbox.Once(box, func(ctx context.Context, tx *sql.Tx, m consumer.Message[string]) consumer.Result {
				return h(ctx, oncetest.Tx{
					Exec: func(ctx context.Context, statement string) error {
						_, err := tx.ExecContext(ctx, statement)
						return err
					},
					Commit: tx.Commit, Rollback: tx.Rollback,
					Put: func(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) error {
						return box.Put(ctx, tx, routingKey, payload, opts...)
					},
				}, m)
			}, opts...))
		},
	}
}

// bareSQLite opens a database of SQLite as the driver has it by default: a transaction begins
// deferred, and what is busy is an error at once.
func bareSQLite(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", bareFile(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func bareFile(t *testing.T) string {
	t.Helper()
	return "file:" + filepath.Join(t.TempDir(), "bare.db") + "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
}

// A busy_timeout is not simulated: SQLite waits in a call of the system.
func TestOnceOnSQLite(t *testing.T) {
	oncetest.Check(t, func(t *testing.T) oncetest.Kind { return kindOf(t, bareSQLite(t), outbox.SQLite) }, synctest.Test)
}
