package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// keys are those of ordered messages: few, so that many transactions want the same.
var keys = []string{"k0", "k1", "k2", "k3", "k4", "k5"}

// tables are the application's own.
var tables = []string{
	`CREATE TABLE ledger (id TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, n INTEGER NOT NULL, job TEXT NOT NULL, needs TEXT NOT NULL,
		cancelled INTEGER NOT NULL DEFAULT 0)`,
	`CREATE TABLE counters (key TEXT PRIMARY KEY, n INTEGER NOT NULL)`,
	`CREATE TABLE effects (seq SERIAL PRIMARY KEY, consumer TEXT NOT NULL, id TEXT NOT NULL, early INTEGER NOT NULL)`,
}

// database is one that all processes of a run share.
type database struct {
	Dialect outbox.Dialect
	DSN     string
}

func (d database) open() (*sql.DB, error) {
	driver, dsn := "pgx", d.DSN
	if d.Dialect == outbox.SQLite {
		driver, dsn = "sqlite", "file:"+d.DSN+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(12)
	return db, nil
}

// prepare makes the tables.
func (d database) prepare(ctx context.Context) (err error) {
	db, err := d.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, statement := range tables {
		if d.Dialect == outbox.SQLite {
			statement = strings.Replace(statement, "SERIAL PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT", 1)
		}
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	for _, key := range keys {
		if _, err := db.ExecContext(ctx, `INSERT INTO counters VALUES ($1, 0)`, key); err != nil {
			return err
		}
	}
	box, err := outbox.New(db, d.Dialect)
	if err != nil {
		return err
	}
	return box.Migrate(ctx)
}

// persist calls f until it succeeds or ctx ends: the database may be away.
func persist(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(20*time.Millisecond + rand.N(80*time.Millisecond)):
		}
	}
}
