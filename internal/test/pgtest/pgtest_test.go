package pgtest_test

import (
	"database/sql"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t *testing.T, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestEachTestHasADatabaseOfItsOwnThatIsDropped(t *testing.T) {
	amqptest.Long(t)
	var first, name string
	t.Run("one", func(t *testing.T) {
		first = pgtest.DSN(t)
		if again := pgtest.DSN(t); again != first {
			t.Error("a second call of the same test made another database")
		}
		db := pgtest.DB(t)
		exec(t, db, `CREATE TABLE a (n int)`)
		if err := db.QueryRowContext(t.Context(), `SELECT current_database()`).Scan(&name); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("another", func(t *testing.T) {
		if pgtest.DSN(t) == first {
			t.Error("it has the database of the test before")
		}
		db := pgtest.DB(t)
		exec(t, db, `CREATE TABLE a (n int)`)
		if n := count(t, db, `SELECT count(*) FROM pg_database WHERE datname = $1`, name); n != 0 {
			t.Errorf("database %s is still there", name)
		}
	})
}

func TestAServerThatIsKilledHasWhatWasCommitted(t *testing.T) {
	server := pgtest.Start(t)
	db := pgtest.Open(t, server.DSN)
	exec(t, db, `CREATE TABLE a (n int)`)
	for _, end := range []func(){server.Kill, server.Stop, server.Kill} {
		exec(t, db, `INSERT INTO a VALUES (1)`)
		end()
		if err := db.PingContext(t.Context()); err == nil {
			t.Error("it answers")
		}
		server.Start()
	}
	if n := count(t, db, `SELECT count(*) FROM a`); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

func TestTerminateEndsTheSessionsOfOthers(t *testing.T) {
	dsn := pgtest.DSN(t)
	db := pgtest.Open(t, dsn)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if n := pgtest.Terminate(t, dsn, 1); n != 1 {
		t.Errorf("%d were ended, want 1", n)
	}
	if _, err := tx.ExecContext(t.Context(), `SELECT 1`); err == nil {
		t.Error("a session that was ended goes on")
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return pgtest.Terminate(t, dsn, 0) == 0 }, "it is still there")
}
