package outbox_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sqlite opens a database in a file of the test's own.
func sqlite(t testing.TB) *sql.DB {
	t.Helper()
	return openSQLite(t, filepath.Join(t.TempDir(), "data.db"))
}

func openSQLite(t testing.TB, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// bothDialects runs a test with an empty database of each. That of PostgreSQL takes long.
func bothDialects(t *testing.T, test func(t *testing.T, db *sql.DB, dialect outbox.Dialect)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, sqlite(t), outbox.SQLite) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.DB(t), outbox.Postgres) })
}

// newBox makes a Box and its tables.
func newBox(t testing.TB, db *sql.DB, dialect outbox.Dialect, cfg ...outbox.Config) *outbox.Box {
	t.Helper()
	box, err := outbox.New(db, dialect, cfg...)
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return box
}

// inTx commits what do has done, or fails the test.
func inTx(t testing.TB, db *sql.DB, do func(tx *sql.Tx) error) {
	t.Helper()
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// count returns the number that a query answers.
func count(t testing.TB, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
