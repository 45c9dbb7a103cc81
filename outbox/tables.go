package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/outbox/internal/schema"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
)

// Migrate makes the tables, or changes those of an earlier version of this module. It does nothing
// if they are there. Two processes may call it at once: on PostgreSQL one waits for the other with
// an advisory lock of its session, so the database must not be behind a pooler that pools
// transactions.
//
// The tables are bunnicula_outbox, bunnicula_inbox and bunnicula_schema, which has the version, and
// on SQLite bunnicula_relay. On PostgreSQL they are in the first schema of the search path. The
// error is ErrNewerSchema if a later version of this module has changed them.
func (b *Box) Migrate(ctx context.Context) error {
	migrate := func() error {
		err := b.look(ctx, tx.Of(b.db), looking)
		if errors.Is(err, ErrNoTables) || errors.Is(err, ErrOlderSchema) {
			return schema.Migrate(ctx, b.db, string(b.dialect))
		}
		return err
	}
	var err error
	if b.dialect == SQLite {
		err = schema.Again(ctx, migrate)
	} else {
		err = migrate()
	}
	if err != nil {
		return fmt.Errorf("outbox: migrate: %w", err)
	}
	b.checked.add(looking)
	return nil
}

// Check returns nil if the tables are there and this program can read them. Otherwise the error is
// ErrNoTables, ErrOlderSchema or ErrNewerSchema, says that the database is of another dialect, or
// is the database's. It does not ask for the rights to write: Put, Cancel, Flush and a relay's
// Start ask for those that they need.
func (b *Box) Check(ctx context.Context) error {
	if err := b.lookFor(ctx, tx.Of(b.db), looking); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

// known is Check inside a transaction, until the first time that it finds the tables and the rights
// for a task. Another connection would wait for ever if the pool has one only.
func (b *Box) known(ctx context.Context, in tx.Tx, t task) error {
	switch {
	case b.checked.has(t):
		return nil
	case !b.checked.has(looking):
		return b.lookFor(ctx, in, t)
	}
	if err := b.missing(ctx, in, t); err != nil {
		return err
	}
	b.checked.add(t)
	return nil
}

// lookFor looks at the tables and at the rights for a task, and remembers what it has found.
func (b *Box) lookFor(ctx context.Context, in tx.Tx, t task) error {
	if err := b.look(ctx, in, t); err != nil {
		return err
	}
	b.checked.add(looking)
	b.checked.add(t)
	return nil
}

// look looks at the tables. None of its statements fails for what is missing or wrong: that would
// abort a transaction of PostgreSQL.
func (b *Box) look(ctx context.Context, in tx.Tx, t task) error {
	var rounded int // PostgreSQL rounds, SQLite truncates
	if err := in.QueryRow(ctx, `SELECT CAST(1.5 AS INTEGER)`, nil, &rounded); err != nil {
		return unseen(err)
	}
	if isPostgres := rounded == 2; isPostgres != (b.dialect == Postgres) {
		return errDialect(b.dialect)
	}
	if err := b.missing(ctx, in, t); err != nil {
		return err
	}
	var version sql.NullInt64
	if err := in.QueryRow(ctx, `SELECT MAX(version_id) FROM bunnicula_schema`, nil, &version); err != nil {
		return unseen(err)
	}
	return checkVersion(version.Int64)
}

// unseen says of an error of the database what was being done. One that is about the transaction of
// a caller has nothing to do with that.
func unseen(err error) error {
	if errors.Is(err, sql.ErrTxDone) || sqlState(err) == stateAborted {
		return explain(err)
	}
	return fmt.Errorf("look at the tables: %w", explain(err))
}

func checkVersion(version int64) error {
	switch {
	case version > schema.Version:
		return fmt.Errorf("%w: they have schema version %d, this program knows up to %d: update its bunnicula module", ErrNewerSchema, version, schema.Version)
	case version < schema.Version:
		return fmt.Errorf("%w: they have schema version %d, this program needs %d: %s", ErrOlderSchema, version, schema.Version, howToMigrate)
	}
	return nil
}

// missing says what the tables, or the rights of the database user, lack for a task and for reading
// the version.
func (b *Box) missing(ctx context.Context, in tx.Tx, t task) error {
	if b.dialect == SQLite {
		var tables int
		const query = `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ('bunnicula_outbox', 'bunnicula_schema')`
		if err := in.QueryRow(ctx, query, nil, &tables); err != nil {
			return unseen(err)
		}
		if tables < 2 {
			return fmt.Errorf("%w: %s", ErrNoTables, howToMigrate)
		}
		return nil
	}
	var there, allowed bool
	switch err := in.QueryRow(ctx, tasks[t].query(), nil, &there, &allowed); {
	case err != nil:
		return unseen(err)
	case !there:
		return fmt.Errorf("%w in the search path: %s", ErrNoTables, howToMigrate)
	case !allowed:
		return fmt.Errorf("the database user may not use the tables: it needs %s", tasks[t])
	}
	return nil
}
