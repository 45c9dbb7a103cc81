package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// Order is a message, and a row.
type Order struct {
	Number int `json:"number"`
	Cents  int `json:"cents"`
}

// Store is a database of orders.
type Store struct{ db *sql.DB }

// A message can come twice. The id of its message is that of a row, so it is inserted once.
const schema = `CREATE TABLE IF NOT EXISTS orders (
	message TEXT PRIMARY KEY,
	number  INTEGER NOT NULL,
	cents   INTEGER NOT NULL CHECK (cents > 0)
)`

const insert = `INSERT INTO orders (message, number, cents) VALUES (?, ?, ?) ON CONFLICT (message) DO NOTHING`

// Open opens a database, and creates it if need be. What is committed is on the disk
// (synchronous=FULL): an Ack before that could lose an order.
func Open(ctx context.Context, file string) (*Store, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	db.SetMaxOpenConns(1) // SQLite has one writer
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", file, err), db.Close())
	}
	return &Store{db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Insert inserts all orders of a batch in one transaction. An order that the database refuses, for
// what is in it, is parked, and the others are inserted. Any other failure is one of all: nothing
// is committed, and all are retried. No Result leaves here before the commit.
//
// In PostgreSQL a statement that fails ends its transaction, so there each row needs a SAVEPOINT
// before it and, if it fails, a ROLLBACK TO SAVEPOINT.
func (s *Store) Insert(ctx context.Context, orders []consumer.Message[Order]) []consumer.Result {
	results := make([]consumer.Result, len(orders))
	err := s.transaction(ctx, func(tx *sql.Tx) error {
		row, err := tx.PrepareContext(ctx, insert)
		if err != nil {
			return err
		}
		defer func() { _ = row.Close() }()
		for i, o := range orders {
			_, err := row.ExecContext(ctx, o.MessageID, o.Payload.Number, o.Payload.Cents)
			switch {
			case err == nil:
				results[i] = consumer.Ack()
			case refuses(err):
				results[i] = consumer.Error(err)
			default:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return slices.Repeat([]consumer.Result{consumer.Retry(err)}, len(orders))
	}
	slog.Info("committed", "orders", len(orders))
	return results
}

// transaction commits what f does, or nothing.
func (s *Store) transaction(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// refuses returns whether the database refuses a row for what is in it.
func refuses(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}
