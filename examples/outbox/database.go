package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// schema is the same in both databases. No constraint keeps an order to one invoice and one mail,
// as it would in a service of yours: it would hide that something is done twice.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS example_orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, email TEXT NOT NULL, cents INTEGER NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS example_invoices (order_id TEXT NOT NULL, number INTEGER NOT NULL, cents INTEGER NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS example_mails (order_id TEXT NOT NULL, email TEXT NOT NULL, invoice INTEGER NOT NULL)`,
	`CREATE INDEX IF NOT EXISTS example_invoices_order ON example_invoices (order_id)`,
	`CREATE TABLE IF NOT EXISTS example_numbers (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL)`,
	`INSERT INTO example_numbers (one, last) VALUES (1, 0) ON CONFLICT (one) DO NOTHING`,
}

// sessions is the application_name of whoever is killed with the database's sessions.
const sessions = "example-outbox"

// postgres returns whether the DSN is one of PostgreSQL. Otherwise it is the name of a SQLite file.
func (o Options) postgres() bool {
	return strings.HasPrefix(o.DSN, "postgres://") || strings.HasPrefix(o.DSN, "postgresql://")
}

// open returns the database. It does not connect.
func open(o Options, application string) (*sql.DB, error) {
	if o.postgres() {
		cfg, err := pgx.ParseConfig(o.DSN)
		if err != nil {
			return nil, fmt.Errorf("-dsn: %w", err) // in which pgx has hidden the password
		}
		cfg.RuntimeParams["application_name"] = application
		db := stdlib.OpenDB(*cfg)
		db.SetMaxOpenConns(10)
		return db, nil
	}
	file, err := filepath.Abs(o.DSN)
	if err != nil {
		return nil, fmt.Errorf("-dsn: %w", err)
	}
	if _, err := os.Stat(filepath.Dir(file)); err != nil { // SQLite would not name it
		return nil, fmt.Errorf("-dsn: the folder of the file: %w", err)
	}
	// A transaction has the lock of the one writer from its beginning on, because one that asks for
	// it later may be refused for good. What is committed is on the disk: an ack before that could
	// lose an order.
	settings := url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"},
		"_txlock": {"immediate"},
	}
	location := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: settings.Encode()}
	db, err := sql.Open("sqlite", location.String())
	if err != nil {
		return nil, fmt.Errorf("-dsn: %w", err)
	}
	db.SetMaxOpenConns(1) // who waits for the writer waits in turn
	return db, nil
}

func (o Options) dialect() outbox.Dialect {
	if o.postgres() {
		return outbox.Postgres
	}
	return outbox.SQLite
}

// migrate makes the tables of the service and of its outbox. It may be called by several processes.
func migrate(ctx context.Context, db *sql.DB, box *outbox.Box) error {
	for _, statement := range schema {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("the database: %w", err)
		}
	}
	return box.Migrate(ctx)
}

// drop removes the tables of the service. Those of the outbox stay, because others may use them.
func drop(ctx context.Context, db *sql.DB) error {
	for _, table := range []string{"orders", "invoices", "mails", "numbers"} {
		if _, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS example_"+table); err != nil {
			return err
		}
	}
	return nil
}

// forget removes the database if it is the example's own file. Nobody has it open.
func forget(o Options) (err error) {
	if !o.ownFile {
		return nil
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if one := os.Remove(o.DSN + suffix); !errors.Is(one, os.ErrNotExist) {
			err = errors.Join(err, one)
		}
	}
	return err
}

// endSessions ends all sessions of the service in a PostgreSQL, as a failover does.
func endSessions(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()`, sessions)
	return err
}
