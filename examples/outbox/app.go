package main

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// app is the service: an fx app of the parts that the options name. All of them may run in one
// process, and each in several.
func app(o Options, cfg connection.Config, tell Teller, log *slog.Logger) fx.Option {
	all := []fx.Option{
		connection.Module, publisher.Module,
		fx.Supply(o, cfg, tell, log),
		fx.Provide(NewDatabase, NewBox, NewShop, NewDoor),
		fx.StopTimeout(patience),
		fx.NopLogger,
	}
	if o.runs(worker) { // before the relay, so that its queues are declared
		all = append(all, consumer.Module, consumer.Provide(Invoices, Mails))
	}
	if o.runs(relay) {
		all = append(all, outbox.Module, fx.Supply(outbox.RelayConfig{Poll: 200 * time.Millisecond}))
	}
	if o.runs(worker) && !o.runs(relay) { // outbox.Module has it
		all = append(all, monitoring.Provide(Monitor))
	}
	if o.runs(shop) {
		all = append(all, fx.Invoke(Listen))
	}
	return fx.Options(all...)
}

// The parts of the service.
const (
	shop   = "shop"   // takes orders over HTTP
	relay  = "relay"  // publishes what is in the outbox
	worker = "worker" // writes invoices and sends mails
)

// Monitor logs, and notes in the outbox which messages of it were parked.
func Monitor(box *outbox.Box) monitoring.Monitor {
	return monitoring.Multi(monitoring.Log{}, box.Monitor())
}

// NewDatabase opens the database until the app stops.
func NewDatabase(lc fx.Lifecycle, o Options) (*sql.DB, error) {
	db, err := open(o, sessions)
	if err == nil {
		lc.Append(fx.StopHook(db.Close))
	}
	return db, err
}

// NewBox makes the outbox. When the app starts it makes the tables that are missing.
func NewBox(lc fx.Lifecycle, o Options, db *sql.DB) (*outbox.Box, error) {
	box, err := outbox.New(db, o.dialect())
	if err == nil {
		lc.Append(fx.StartHook(func(ctx context.Context) error { return migrate(ctx, db, box) }))
	}
	return box, err
}
