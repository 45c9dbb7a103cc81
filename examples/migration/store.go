package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/fx"
	"modernc.org/sqlite" // and the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// Store is the new system's database, with the marks of the messages that were imported.
type Store struct {
	DB  *sql.DB
	Box *outbox.Box
}

// Row is a customer in the new system.
type Row struct{ ID, Name, Email, Birthday string }

// No constraint keeps a customer to one row, as it would in a system of yours: it would hide that
// something is written twice.
const schema = `CREATE TABLE IF NOT EXISTS customers (id TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL, birthday TEXT NOT NULL)`

// NewStore opens the database until the app stops.
func NewStore(lc fx.Lifecycle, o Options) (*Store, error) {
	s, err := openStore(o)
	if err == nil {
		lc.Append(fx.StartStopHook(s.migrate, s.DB.Close))
	}
	return s, err
}

// openStore does not touch the file.
func openStore(o Options) (*Store, error) {
	file, err := filepath.Abs(o.Store)
	if err != nil {
		return nil, err
	}
	// What is committed is on the disk: an ack before that could lose a record.
	settings := url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"},
		"_txlock": {"immediate"},
	}
	location := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: settings.Encode()}
	db, err := sql.Open("sqlite", location.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // who waits for the writer waits in turn
	// A migration takes weeks, and what is parked may be redriven at its end.
	box, err := outbox.New(db, outbox.SQLite, outbox.Config{Keep: 90 * 24 * time.Hour})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{db, box}, nil
}

// migrate makes the tables that are missing. While two processes open a new file, SQLite refuses
// one of them at once, because a change of the journal's mode does not wait.
func (s *Store) migrate(ctx context.Context) error {
	for {
		_, err := s.DB.ExecContext(ctx, schema)
		if err == nil {
			err = s.Box.Migrate(ctx)
		}
		if busy := (*sqlite.Error)(nil); !errors.As(err, &busy) || busy.Code() != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func add(ctx context.Context, tx *sql.Tx, r Row) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO customers (id, name, email, birthday) VALUES ($1, $2, $3, $4)`,
		r.ID, r.Name, r.Email, r.Birthday)
	return err
}

// imported reads what the new system has, by message id. Each should have one row.
func imported(ctx context.Context, o Options) (rows map[string][]Row, err error) {
	rows = map[string][]Row{}
	if _, err := os.Stat(o.Store); errors.Is(err, fs.ErrNotExist) {
		return rows, nil
	}
	s, err := openStore(o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.DB.Close() }() // nothing was written
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	all, err := s.DB.QueryContext(ctx, `SELECT id, name, email, birthday FROM customers`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = all.Close() }()
	for all.Next() {
		var r Row
		if err := all.Scan(&r.ID, &r.Name, &r.Email, &r.Birthday); err != nil {
			return nil, err
		}
		rows[r.ID] = append(rows[r.ID], r)
	}
	return rows, all.Err()
}
