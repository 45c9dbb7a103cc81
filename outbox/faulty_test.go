package outbox_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
)

var errDisk = errors.New("the disk is gone")

// faulty opens SQLite databases whose transactions begin and commit as these functions say. They
// may be changed between transactions.
type faulty struct {
	dsn    string
	driver driver.Driver

	begin  func() error                    // nil does nothing
	commit func(commit func() error) error // nil commits
}

// open opens a database in a file of its own.
func (f *faulty) open(t *testing.T) *sql.DB {
	t.Helper()
	f.dsn, f.driver = bareFile(t), bareSQLite(t).Driver()
	db := sql.OpenDB(f)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (f *faulty) Driver() driver.Driver { return f.driver }

func (f *faulty) Connect(context.Context) (driver.Conn, error) {
	c, err := f.driver.Open(f.dsn)
	if err != nil {
		return nil, err
	}
	return faultyConn{c.(realConn), f}, nil
}

// realConn is what a connection of the driver can do.
type realConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
}

type faultyConn struct {
	realConn
	faults *faulty
}

func (c faultyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.faults.begin != nil {
		if err := c.faults.begin(); err != nil {
			return nil, err
		}
	}
	tx, err := c.realConn.BeginTx(ctx, opts)
	return faultyTx{tx, c.faults}, err
}

type faultyTx struct {
	driver.Tx
	faults *faulty
}

func (t faultyTx) Commit() error {
	if t.faults.commit == nil {
		return t.Tx.Commit()
	}
	return t.faults.commit(t.Tx.Commit)
}
