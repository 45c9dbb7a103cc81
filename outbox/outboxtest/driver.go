package outboxtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"testing"
)

// ErrCommit is what Commit returns after FailCommit and LoseCommit.
var ErrCommit = errors.New("outboxtest: the connection was lost before the answer to COMMIT")

// FailCommit makes the next Commit of a transaction return ErrCommit and roll back, as when the
// database is gone before it has the COMMIT. The database is one that New has made.
func FailCommit(t testing.TB, db *sql.DB) {
	t.Helper()
	faultsOf(t, db).set(rolledBack)
}

// LoseCommit makes the next Commit of a transaction return ErrCommit and commit all the same, as
// when the database is gone after the COMMIT and before its answer. The database is one that New
// has made.
func LoseCommit(t testing.TB, db *sql.DB) {
	t.Helper()
	faultsOf(t, db).set(committed)
}

func faultsOf(t testing.TB, db *sql.DB) *faulty {
	t.Helper()
	f, ok := db.Driver().(*faulty)
	if !ok {
		t.Fatal("outboxtest: the database is not one that outboxtest.New has made")
	}
	return f
}

// fault is what becomes of a commit.
type fault int

const (
	none fault = iota
	rolledBack
	committed
)

// faulty is the driver of one database, whose commits can be told to fail.
type faulty struct {
	base driver.Driver // immutable
	name string        // immutable; of the database

	mu   sync.Mutex
	next fault // of the next commit; tests set it, and a commit takes it
}

func (f *faulty) set(next fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

// take returns the fault of this commit. Commits after it have none.
func (f *faulty) take() fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.next
	f.next = none
	return now
}

var _ driver.Connector = (*faulty)(nil)

// Driver implements driver.Connector. It is how faultsOf finds the faults of a *sql.DB.
func (f *faulty) Driver() driver.Driver { return f }

// Open implements driver.Driver. database/sql calls Connect.
func (f *faulty) Open(string) (driver.Conn, error) { return f.Connect(context.Background()) }

// Connect implements driver.Connector.
func (f *faulty) Connect(context.Context) (driver.Conn, error) {
	c, err := f.base.Open(f.name)
	if err != nil {
		return nil, err
	}
	full, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("outboxtest: this version of modernc.org/sqlite lacks a part of database/sql/driver that the kit hands on"), c.Close())
	}
	return conn{full, f}, nil
}

// sqliteConn is what a connection of modernc.org/sqlite can do and database/sql makes use of.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	sqliteConn

	faults *faulty
}

func (c conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return transaction{tx, c.faults}, nil
}

type transaction struct {
	driver.Tx

	faults *faulty
}

func (t transaction) Commit() error {
	switch t.faults.take() {
	case rolledBack:
		return errors.Join(ErrCommit, t.Rollback())
	case committed:
		return errors.Join(ErrCommit, t.Tx.Commit())
	default:
		return t.Tx.Commit()
	}
}
