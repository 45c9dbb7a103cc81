package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestMigrateTwiceIsMigrateOnce(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		db.SetMaxOpenConns(1) // enough for the lock and the migration
		box := newBox(t, db, dialect)
		inTx(t, db, func(tx *sql.Tx) error { return box.Put(t.Context(), tx, "q", 1) })
		for _, again := range []*outbox.Box{box, mustNew(t, db, dialect)} {
			if err := again.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
			if err := again.Check(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 1 {
			t.Errorf("%d rows are left, want 1", n)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_schema WHERE version_id = 1`); n != 1 {
			t.Errorf("version 1 is there %d times", n)
		}
	})
}

func TestManyMigrateAtOnce(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := mustNew(t, db, dialect).Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := mustNew(t, db, dialect).Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A program may have migrations of its own, with the same library.
func TestMigrateLeavesAProgramsOwnMigrationsAlone(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		theirs := goose.NewGoMigration(7, &goose.GoFunc{RunTx: func(context.Context, *sql.Tx) error { return errors.New("it ran") }}, nil)
		if err := goose.SetGlobalMigrations(theirs); err != nil {
			t.Fatal(err)
		}
		defer goose.ResetGlobalMigrations()
		newBox(t, db, dialect)
		query := map[outbox.Dialect]string{
			outbox.SQLite:   `SELECT GROUP_CONCAT(name, ' ') FROM (SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name)`,
			outbox.Postgres: `SELECT STRING_AGG(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'`,
		}[dialect]
		var tables string
		if err := db.QueryRowContext(t.Context(), query).Scan(&tables); err != nil {
			t.Fatal(err)
		}
		want := map[outbox.Dialect]string{
			outbox.SQLite:   "bunnicula_inbox bunnicula_outbox bunnicula_relay bunnicula_schema",
			outbox.Postgres: "bunnicula_inbox bunnicula_outbox bunnicula_schema",
		}[dialect]
		if tables != want {
			t.Errorf("the tables are %q, want %q", tables, want)
		}
	})
}

// The environment of a process that migrates: a driver, its source, and a dialect.
const migrateVar = "BUNNICULA_TEST_MIGRATE"

func TestProcessesMigrateAtOnce(t *testing.T) {
	amqptest.Long(t)
	for dialect, where := range map[outbox.Dialect]string{
		// as it comes: no WAL, no busy timeout
		outbox.SQLite:   "sqlite|file:" + filepath.Join(t.TempDir(), "data.db") + "|sqlite",
		outbox.Postgres: "pgx|" + pgtest.DSN(t) + "|postgres",
	} {
		t.Run(string(dialect), func(t *testing.T) {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestAProcessThatMigrates$")
					cmd.Env = append(os.Environ(), migrateVar+"="+where)
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Errorf("%v\n%s", err, out)
					}
				})
			}
			all.Wait()
			db, err := sql.Open(strings.Split(where, "|")[0], strings.Split(where, "|")[1])
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if err := mustNew(t, db, dialect).Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAProcessThatMigrates(t *testing.T) {
	where := strings.Split(os.Getenv(migrateVar), "|")
	if len(where) != 3 {
		t.Skip("TestProcessesMigrateAtOnce starts it")
	}
	db, err := sql.Open(where[0], where[1])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	newBox(t, db, outbox.Dialect(where[2]))
}
