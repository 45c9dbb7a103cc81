package main

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

// app is the import as an fx app: a connection, a publisher, two consumers, and a monitor of its
// own that replaces the log.
func app(o Options, cfg connection.Config, client Client, ledger *Ledger, tally *Tally, log *slog.Logger, more ...fx.Option) *fx.App {
	return fx.New(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(o, cfg, client, ledger, tally, log),
		fx.Provide(NewLimiter, NewLister, NewImporter),
		consumer.Provide(History, Conversations),
		monitoring.Provide(func(t *Tally) monitoring.Monitor { return t }),
		fx.Invoke(Begin),
		fx.NopLogger,
		fx.Options(more...),
	)
}

// NewLimiter makes the limit of each account's requests. Both consumers share it, because the API
// does not care which of them asks.
func NewLimiter(o Options) (use.Limiter, error) {
	return use.NewLimiter(use.Limit{Events: o.Limit})
}
