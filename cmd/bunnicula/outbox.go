package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/cmd/bunnicula/internal/database"
	"github.com/bunnicula-go/bunnicula/internal/outboxlook"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func outboxCommand(a *app) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "outbox",
		Short: "See what waits in an app's outbox, and why",
		Long: `Shows the rows of an outbox in the app's database: messages that are to be published,
that wait for others, or that the relay has given up. It tries again what has failed,
and deletes what is not to be published any more. It takes no broker.

The database is the one in --dsn or BUNNICULA_DSN: postgres://user@host:5432/database
(PGPASSWORD and the other variables of PostgreSQL are read), or the file of a SQLite
database, as a path, sqlite://path or file:path. A password in --dsn can be seen by
whoever lists processes; in the environment it cannot. The command makes no file,
apart from migrate.

Each TERM narrows the choice:
` + outboxTerms,
		Example: `  export BUNNICULA_DSN=postgres://shop@localhost:5432/shop
  bunnicula outbox stats
  bunnicula outbox ls state=failed
  bunnicula outbox retry queue=emails 'error~no queue is bound'
  bunnicula outbox ls --dsn orders.db`,
	},
		outboxLs(a),
		outboxShow(a),
		outboxRetry(a),
		outboxDiscard(a),
		outboxStats(a),
		outboxMigrate(a),
	)
	for _, sub := range cmd.Commands() {
		dsnFlag(sub, &a.dsn)
	}
	return cmd
}

// dsnFlag adds --dsn.
func dsnFlag(cmd *cobra.Command, dsn *string) {
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(dsn, "dsn", "", "the database (default $BUNNICULA_DSN)")
}

// opened is an outbox in a database that answers.
type opened struct {
	*outbox.Box
	outboxlook.Looker
	source database.DSN
}

// database parses the DSN. found is false if none was given.
func (a *app) database(cmd *cobra.Command) (dsn database.DSN, found bool, err error) {
	name := "--dsn"
	if !cmd.Flags().Changed("dsn") {
		if name = "BUNNICULA_DSN"; a.getenv(name) == "" {
			return dsn, false, nil
		}
	}
	dsn, err = database.Parse(cmp.Or(a.dsn, a.getenv("BUNNICULA_DSN")))
	if name == "--dsn" && a.dsn == "" { // probably an unset variable of a shell
		_, err = database.Parse("")
	}
	if err != nil {
		return dsn, true, usage(fmt.Errorf("%s %w", name, err))
	}
	return dsn, true, nil
}

// outbox runs f with the outbox of a database that has answered within patience. f is bound by
// --timeout only if that was given. create lets it make the file of a SQLite database.
func (a *app) outbox(cmd *cobra.Command, create bool, f func(context.Context, opened) error) error {
	dsn, found, err := a.database(cmd)
	if err != nil {
		return err
	} else if !found {
		return usage(errors.New("which database? Want --dsn or BUNNICULA_DSN: " + database.Wanted))
	}
	return a.openDatabase(cmd.Context(), dsn, create, func(db *sql.DB) error {
		box, err := outbox.New(db, dsn.Dialect)
		if err != nil {
			return err
		}
		return a.ifAsked(cmd, func(ctx context.Context) error {
			return whichTables(dsn, f(ctx, opened{box, outboxlook.Looker{DB: db, Dialect: dsn.Dialect}, dsn}))
		})
	})
}

// ifAsked runs f with a context that ends after --timeout if that was given. Its error says so
// then: a driver says "context deadline exceeded".
func (a *app) ifAsked(cmd *cobra.Command, f func(context.Context) error) error {
	if !cmd.Flags().Changed("timeout") {
		return f(cmd.Context())
	}
	return a.within(cmd.Context(), func(ctx context.Context) error {
		err := f(ctx)
		if err != nil && ctx.Err() != nil && cmd.Context().Err() == nil {
			return context.Cause(ctx)
		}
		return err
	})
}

// openDatabase runs f with a database that has answered within patience.
func (a *app) openDatabase(ctx context.Context, dsn database.DSN, create bool, f func(*sql.DB) error) error {
	limit := min(patience, a.timeout)
	soon, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	db, err := dsn.Open(soon, create)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was done is committed
	return f(db)
}

// whichTables adds the database to an error about its tables.
func whichTables(dsn database.DSN, err error) error {
	for _, about := range []error{outbox.ErrNoTables, outbox.ErrOlderSchema, outbox.ErrNewerSchema} {
		if errors.Is(err, about) {
			return fmt.Errorf("database %s: %w", dsn.Shown, err)
		}
	}
	return err
}

func rowsOf(n int) string { return counted(n, "row", "rows") }
