package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func outboxMigrate(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make the tables of an outbox, or bring them up to date",
		Long: `Makes the tables of the outbox and the inbox, bunnicula_outbox and bunnicula_inbox, or
brings those of an earlier version up to date, as Box.Migrate does. It asks first. What
is up to date is left alone, and two that run at once are safe. The file of a SQLite
database is made if it is not there. Tables of a later version are exit code 1.`,
		Example: `  bunnicula outbox migrate --dsn postgres://owner@localhost:5432/shop
  bunnicula outbox migrate --dsn orders.db --yes`,
		Args: want(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.mayChange("outbox migrate"); err != nil {
				return err
			}
			if err := a.canAsk(yes); err != nil {
				return err
			}
			dsn, _, err := a.database(cmd)
			if err != nil {
				return err
			}
			if dsn.Missing() { // asked before the file is made
				if err := a.confirm(fmt.Sprintf("Make the file %s, with the tables of an outbox?", dsn.Shown), yes); err != nil {
					return err
				}
				yes = true
			}
			return a.outbox(cmd, true, func(ctx context.Context, o opened) error { return a.migrate(ctx, o, yes) })
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// migrateReport is what --json prints.
type migrateReport struct {
	Database string `json:"database"`
	Changed  bool   `json:"changed"`
}

func (a *app) migrate(ctx context.Context, o opened, yes bool) error {
	r := migrateReport{Database: o.source.Shown, Changed: o.Check(ctx) != nil}
	if r.Changed {
		if err := a.confirm(fmt.Sprintf("Make or change the tables of the outbox in %s?", o.source.Shown), yes); err != nil {
			return err
		}
		if err := o.Migrate(ctx); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(r, false)
	}
	text := "%s: the tables were up to date\n"
	if r.Changed {
		text = "%s: the tables are there, and up to date\n"
	}
	_, err := fmt.Fprintf(a.out, text, plain(o.source.Shown))
	return err
}
