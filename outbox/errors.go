package outbox

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// The errors of a Box, besides bad input and those of the database. Match them with errors.Is. A
// driver's error stays in the chain.
var (
	// ErrDuplicate: the outbox has a row with this id. Nothing was written, and the transaction is
	// usable. The id of a row without a job is free again when the row is published, that of a row
	// with a job when its whole job has been done for Config.Keep.
	ErrDuplicate = errors.New("the outbox has a message with this id already")

	// ErrUnknown: the outbox has no such row, or no such job. After Cancel the row may be there,
	// and be published already.
	ErrUnknown = errors.New("the outbox has no such message")

	// ErrNeeded: other rows were put with After the id of this one, and wait for it.
	ErrNeeded = errors.New("other messages need it")

	// ErrNoTables: the tables are missing, or some of them. Box.Migrate makes them, and so does the
	// command bunnicula outbox migrate.
	ErrNoTables = errors.New("the tables of the outbox are missing")

	// ErrOlderSchema: the tables are those of an earlier version of this module. Box.Migrate
	// changes them, and so does the command bunnicula outbox migrate.
	ErrOlderSchema = errors.New("the tables of the outbox are of an earlier version")

	// ErrNewerSchema: a later version of this module has changed the tables. This program cannot
	// use them.
	ErrNewerSchema = errors.New("the tables of the outbox are of a later version")
)

// howToMigrate is what to do about tables that are missing or old.
const howToMigrate = "call Box.Migrate, or run bunnicula outbox migrate --dsn ..."

// errDialect says that a Box was made with the wrong dialect.
func errDialect(is Dialect) error {
	name := map[Dialect]string{Postgres: "outbox.Postgres", SQLite: "outbox.SQLite"}
	if is == Postgres {
		return fmt.Errorf("the Box has the dialect %s, and the database is not PostgreSQL: want %s for SQLite", name[Postgres], name[SQLite])
	}
	return fmt.Errorf("the Box has the dialect %s, and the database is not SQLite: want %s for PostgreSQL", name[SQLite], name[Postgres])
}

// sqlState is PostgreSQL's code of an error, "" if it has none. The drivers' errors have such a
// method.
func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

// The codes of PostgreSQL.
const (
	stateAborted   = "25P02" // in_failed_sql_transaction
	stateNoTable   = "42P01" // undefined_table
	stateForbidden = "42501" // insufficient_privilege
	stateLocked    = "55P03" // lock_not_available
)

// explain says in words what a statement's error means for the caller's transaction, where the
// database's own words do not.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrTxDone):
		return fmt.Errorf("the transaction has ended: %w", err)
	case sqlState(err) == stateAborted:
		return fmt.Errorf("an earlier statement of the transaction failed, so that it can only be rolled back: %w", err)
	case sqlState(err) == stateNoTable, strings.Contains(err.Error(), "no such table: bunnicula_"):
		return fmt.Errorf("%w: %s: %w", ErrNoTables, howToMigrate, err)
	}
	return err
}
