package main

import (
	"context"
	"database/sql"
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// app is a worker: all three stages. They could as well be three programs.
func app(o Options, cfg connection.Config, tell Teller, log *slog.Logger) fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module, pipeline.Module,
		fx.Supply(o, cfg, tell, log, pipeline.Config{Name: o.Prefix}),
		fx.Provide(NewDatabase, NewBox, NewDoom, client),
		consumer.Provide(Rows, Transactions, Accounts), // the last queue first: it takes outputs
		fx.StopTimeout(patience),
		fx.NopLogger,
	)
}

// NewDatabase opens the database until the app stops.
func NewDatabase(lc fx.Lifecycle, o Options) (*sql.DB, error) {
	db, err := open(o.DB)
	if err == nil {
		lc.Append(fx.StopHook(db.Close))
	}
	return db, err
}

// NewBox makes what knows which messages were handled. When the app starts it makes the tables that
// are missing.
func NewBox(lc fx.Lifecycle, db *sql.DB) (*outbox.Box, error) {
	box, err := outbox.New(db, outbox.SQLite)
	if err == nil {
		lc.Append(fx.StartHook(func(ctx context.Context) error { return migrate(ctx, db, box) }))
	}
	return box, err
}

func client(lc fx.Lifecycle, o Options) Client {
	c := NewClient(o)
	lc.Append(fx.StopHook(c.Close))
	return c
}
