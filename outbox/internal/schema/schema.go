// Package schema makes the tables of an outbox. Its migrations are embedded, and never change once
// they are released: a later version adds one.
package schema

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

// Version is that of the last migration.
const Version = 1

// versions is the table that has the versions of the migrations.
const versions = "bunnicula_schema"

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Migrate brings the tables to Version. dialect is "postgres" or "sqlite", and so is the folder of
// its migrations. That of SQLite is to be called by Again.
func Migrate(ctx context.Context, db *sql.DB, dialect string) error {
	if dialect == "sqlite" {
		return up(ctx, db, database.DialectSQLite3, dialect)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(1, lockSeconds))
	if err != nil {
		return err
	}
	return up(ctx, db, database.DialectPostgres, dialect, goose.WithSessionLocker(locker))
}

const (
	// of the advisory lock; another than that of goose for the program's own migrations
	lockID      = 0x62756e6e_69637561
	lockSeconds = 300 // how long to wait for another process
)

// up uses a provider of its own, so that migrations that the program has registered with goose stay
// out.
func up(ctx context.Context, db *sql.DB, dialect database.Dialect, folder string, opts ...goose.ProviderOption) error {
	migrations, err := fs.Sub(files, folder)
	if err != nil {
		return err
	}
	store, err := database.NewStore(dialect, versions)
	if err != nil {
		return err
	}
	opts = append(opts, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	provider, err := goose.NewProvider("", db, migrations, opts...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// tries is how often a migration of SQLite begins again when another process migrates too.
const tries = 20

// Again calls migrate until another process that migrates the same SQLite, which has no advisory
// locks, cannot be the reason of its error. Each migration is a transaction, so of two processes
// one makes the tables, and the other fails and finds them when it tries again.
func Again(ctx context.Context, migrate func() error) error {
	for n := 1; ; n++ {
		err := migrate()
		if err == nil || n == tries || !isContended(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(n) * 10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// isContended says whether another process can be the reason of the error. The drivers of SQLite
// have no errors in common, but the texts are SQLite's.
func isContended(err error) bool {
	text := err.Error()
	for _, sign := range []string{"locked", "busy", "already exists", "UNIQUE constraint"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
