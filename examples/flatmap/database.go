package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// schema has no constraint that keeps a row from being written twice, as a service of yours would
// have: it would hide that something is done twice.
const schema = `CREATE TABLE IF NOT EXISTS example_rows
	(account TEXT NOT NULL, line INTEGER NOT NULL, date TEXT NOT NULL, cents INTEGER NOT NULL, text TEXT NOT NULL)`

// open returns the database. It does not connect.
func open(file string) (*sql.DB, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	if _, err := os.Stat(filepath.Dir(file)); err != nil { // SQLite would not name it
		return nil, fmt.Errorf("-db: the folder of the file: %w", err)
	}
	// A transaction has the lock of the one writer from its beginning on. What is committed is on
	// the disk: an ack before that could lose a row.
	settings := url.Values{
		"_pragma": {"busy_timeout(500)", "journal_mode(WAL)", "synchronous(FULL)"},
		"_txlock": {"immediate"},
	}
	location := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: settings.Encode()}
	db, err := sql.Open("sqlite", location.String())
	if err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	db.SetMaxOpenConns(1) // who waits for the writer waits in turn
	return db, nil
}

// migrate makes the tables, in a database that several processes may open at once.
func migrate(ctx context.Context, db *sql.DB, box *outbox.Box) error {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return fmt.Errorf("the database: %w", err)
	}
	return box.Migrate(ctx)
}

// insert writes a row.
func insert(ctx context.Context, tx *sql.Tx, r Row) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO example_rows (account, line, date, cents, text) VALUES ($1, $2, $3, $4, $5)`,
		r.Account, r.Line, r.Date, r.Cents, r.Text)
	return err
}

// count is how many rows are written.
func count(ctx context.Context, db *sql.DB) (n int, err error) {
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM example_rows`).Scan(&n)
	return n, err
}

// lock has the database's write lock for a while, as a backup or a program that hangs may.
func lock(ctx context.Context, file string, held time.Duration) error {
	db, err := open(file)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // nothing is written
	for {
		tx, err := db.BeginTx(ctx, nil)
		if err == nil {
			_ = drill.Pause(ctx, held)
			return tx.Rollback()
		}
		if ctx.Err() != nil {
			return err
		}
	}
}

// drop removes the table. Those of the outbox stay, because others may use them.
func drop(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `DROP TABLE IF EXISTS example_rows`)
	return err
}

// remove removes a database that nobody has open.
func remove(file string) (err error) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if one := os.Remove(file + suffix); !errors.Is(one, os.ErrNotExist) {
			err = errors.Join(err, one)
		}
	}
	return err
}
