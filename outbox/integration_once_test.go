package outbox_test

import (
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/oncetest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestOnceOnPostgreSQL(t *testing.T) {
	amqptest.Long(t)
	oncetest.Check(t, func(t *testing.T) oncetest.Kind { return kindOf(t, pgtest.DB(t), outbox.Postgres) },
		func(t *testing.T, test func(t *testing.T)) { test(t) })
}

func TestOnceOnAPostgreSQLThatFails(t *testing.T) {
	amqptest.Long(t)
	oncetest.Faults(t, func(t *testing.T, w *oncetest.Wire) oncetest.Kind {
		kind := kindOf(t, wired(t, w), outbox.Postgres)
		kind.DB = pgtest.DB(t)
		return kind
	})
}

// wired opens the test's database with two connections that dial with w.
func wired(t *testing.T, w *oncetest.Wire) *sql.DB {
	t.Helper()
	cfg, err := pgx.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg.DialFunc = w.Dial
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(2)
	t.Cleanup(func() { _ = db.Close() })
	return db
}
