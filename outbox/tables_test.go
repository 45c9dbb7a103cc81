package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// refusedTables checks that a Box finds what is wrong with the tables: Check, and the first Put and
// Cancel inside a transaction, which stays usable.
func refusedTables(t *testing.T, db *sql.DB, dialect outbox.Dialect, is error, want string) {
	t.Helper()
	box := mustNew(t, db, dialect)
	wanted := func(err error) {
		t.Helper()
		if err == nil || is != nil && !errors.Is(err, is) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	wanted(box.Check(t.Context()))
	usable(t, db, func(tx *sql.Tx) {
		wanted(box.Put(t.Context(), tx, "q", 1))
		wanted(box.Cancel(t.Context(), tx, "x"))
	})
}

func other(d outbox.Dialect) outbox.Dialect {
	if d == outbox.SQLite {
		return outbox.Postgres
	}
	return outbox.SQLite
}

func TestABoxOfTheWrongDialectIsAnErrorAndTheTransactionGoesOn(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		yours(t, db)
		want := map[outbox.Dialect]string{
			outbox.SQLite:   "the Box has the dialect outbox.SQLite, and the database is not SQLite: want outbox.Postgres for PostgreSQL",
			outbox.Postgres: "the Box has the dialect outbox.Postgres, and the database is not PostgreSQL: want outbox.SQLite for SQLite",
		}[other(dialect)]
		refusedTables(t, db, other(dialect), nil, want)
		if err := mustNew(t, db, other(dialect)).Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Migrate: %v", err)
		}
		newBox(t, db, dialect)
		refusedTables(t, db, other(dialect), nil, want)
	})
}

func TestMissingTablesAreAnErrorThatSaysWhatMakesThem(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		yours(t, db)
		const want = "call Box.Migrate, or run bunnicula outbox migrate --dsn ..."
		refusedTables(t, db, dialect, outbox.ErrNoTables, want)
		newBox(t, db, dialect)
		if _, err := db.ExecContext(t.Context(), `DROP TABLE bunnicula_outbox`); err != nil {
			t.Fatal(err)
		}
		refusedTables(t, db, dialect, outbox.ErrNoTables, want)
	})
}

func TestTablesThatVanishAfterTheFirstPutAreErrNoTables(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		if _, err := db.ExecContext(t.Context(), `DROP TABLE bunnicula_outbox`); err != nil {
			t.Fatal(err)
		}
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if err := box.Put(t.Context(), tx, "q", 1); !errors.Is(err, outbox.ErrNoTables) {
			t.Errorf("got %v, want ErrNoTables", err)
		}
	})
}

func TestTablesOfAnotherVersionAreRefusedByNumber(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		yours(t, db)
		newBox(t, db, dialect)
		if _, err := db.ExecContext(t.Context(), `INSERT INTO bunnicula_schema (version_id, is_applied) VALUES (3, TRUE)`); err != nil {
			t.Fatal(err)
		}
		const newer = "they have schema version 3, this program knows up to 1: update its bunnicula module"
		refusedTables(t, db, dialect, outbox.ErrNewerSchema, newer)
		if err := mustNew(t, db, dialect).Migrate(t.Context()); !errors.Is(err, outbox.ErrNewerSchema) || !strings.Contains(err.Error(), newer) {
			t.Errorf("Migrate: got %v, want ErrNewerSchema", err)
		}
		if _, err := db.ExecContext(t.Context(), `DELETE FROM bunnicula_schema WHERE version_id > 0`); err != nil {
			t.Fatal(err)
		}
		refusedTables(t, db, dialect, outbox.ErrOlderSchema, "they have schema version 0, this program needs 1: call Box.Migrate")
	})
}

// A Box that looked on a connection of its own would wait for ever.
func TestTheTablesAreLookedAtInsideTheTransaction(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		db.SetMaxOpenConns(1)
		newBox(t, db, dialect)
		box := mustNew(t, db, dialect) // another one, which has not seen the tables
		inTx(t, db, func(tx *sql.Tx) error { return box.Put(t.Context(), tx, "q", 1, outbox.ID("one")) })
		inTx(t, db, func(tx *sql.Tx) error { return mustNew(t, db, dialect).Cancel(t.Context(), tx, "one") })
	})
}

func TestTheTablesAreLookedAtOnce(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		newBox(t, db, dialect)
		box := mustNew(t, db, dialect)
		inTx(t, db, func(tx *sql.Tx) error {
			counted := &counts{Tx: tx}
			for range 3 {
				if err := box.Put(t.Context(), counted, "q", 1); err != nil {
					return err
				}
			}
			if want := 3 + 3; counted.statements != want { // those that look, and the rows
				t.Errorf("%d statements, want %d", counted.statements, want)
			}
			return nil
		})
	})
}

// counts counts the statements of a transaction.
type counts struct {
	*sql.Tx

	statements int
}

func (c *counts) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	c.statements++
	return c.Tx.ExecContext(ctx, query, args...)
}

func (c *counts) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	c.statements++
	return c.Tx.QueryRowContext(ctx, query, args...)
}

func TestAUserWithoutRightsIsToldWhichOnes(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		if dialect == outbox.SQLite {
			t.Skip("SQLite has no users")
		}
		yours(t, db)
		newBox(t, db, dialect)
		role := "nobody_" + strings.ToLower(strings.NewReplacer("/", "_").Replace(t.Name()))[:40]
		run := func(statement string) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		run(`CREATE ROLE ` + role + `; GRANT INSERT ON orders TO ` + role)
		t.Cleanup(func() { _, _ = db.ExecContext(context.Background(), `DROP OWNED BY `+role+`; DROP ROLE `+role) })
		do := func(box *outbox.Box, text string, does func(tx *sql.Tx, box *outbox.Box) error) {
			t.Helper()
			usable(t, db, func(tx *sql.Tx) {
				if _, err := tx.ExecContext(t.Context(), `SET LOCAL ROLE `+role); err != nil {
					t.Fatal(err)
				}
				err := does(tx, box)
				if text == "" && err != nil || text != "" && (err == nil || !strings.HasSuffix(err.Error(), text)) {
					t.Errorf("got %v, want %q", err, text)
				}
			})
		}
		inTx(t, db, func(tx *sql.Tx) error {
			box := mustNew(t, db, dialect)
			return errors.Join(box.Put(t.Context(), tx, "q", 1, outbox.ID("first"), outbox.Job("j")), box.Put(t.Context(), tx, "q", 1, outbox.ID("unwanted")))
		})
		put := func(tx *sql.Tx, box *outbox.Box) error { return box.Put(t.Context(), tx, "q", 1) }
		after := func(tx *sql.Tx, box *outbox.Box) error {
			return box.Put(t.Context(), tx, "q", 1, outbox.After("first"))
		}
		cancel := func(tx *sql.Tx, box *outbox.Box) error {
			if err := box.Cancel(t.Context(), tx, "unwanted"); err != nil {
				return err
			}
			return box.Put(t.Context(), tx, "q", 1, outbox.ID("unwanted")) // for the next one
		}
		for _, step := range []struct {
			does   func(tx *sql.Tx, box *outbox.Box) error
			grants string // they are missing at first
			text   string
		}{
			{put, `GRANT INSERT ON bunnicula_outbox TO ` + role, "SELECT and INSERT on bunnicula_outbox, and SELECT on bunnicula_schema"},
			{after, `GRANT UPDATE ON bunnicula_outbox TO ` + role, "SELECT, INSERT and UPDATE on bunnicula_outbox, and SELECT on bunnicula_schema"},
			{cancel, `GRANT DELETE ON bunnicula_outbox TO ` + role, "SELECT, UPDATE and DELETE on bunnicula_outbox, and SELECT on bunnicula_schema"},
		} {
			known := mustNew(t, db, dialect) // the owner has seen the tables with it
			if err := known.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, box := range []*outbox.Box{known, mustNew(t, db, dialect)} {
				do(box, "the database user may not use the tables: it needs "+step.text, step.does)
			}
			run(`GRANT SELECT ON bunnicula_outbox, bunnicula_schema TO ` + role)
			do(mustNew(t, db, dialect), "the database user may not use the tables: it needs "+step.text, step.does)
			run(step.grants)
			for _, box := range []*outbox.Box{known, mustNew(t, db, dialect)} {
				do(box, "", step.does)
			}
		}
	})
}

func TestAnErrorOfTheDatabaseSaysThatTheTablesWereLookedAt(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		newBox(t, db, dialect)
		box := mustNew(t, db, dialect)
		_ = db.Close()
		if err := box.Check(t.Context()); err == nil || err.Error() != "outbox: look at the tables: sql: database is closed" {
			t.Errorf("%v", err)
		}
	})
}
