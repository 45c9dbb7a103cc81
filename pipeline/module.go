package pipeline

import (
	"errors"
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Module provides the app's *Pipeline, of a Config that the app provides, on the app's Connection
// and Publisher. Consumers whose constructors take it stop before it does:
//
//	fx.New(
//		connection.Module, publisher.Module, consumer.Module, pipeline.Module,
//		fx.Provide(connection.ConfigFromEnv),
//		fx.Provide(func() pipeline.Config { return pipeline.Config{Name: "bank"} }),
//		consumer.Provide(Accounts, Transactions), // func Accounts(*pipeline.Pipeline) consumer.Spec
//	)
//
// If Config.Completed is set, a Notifier runs.
var Module = fx.Module("bunnicula.pipeline",
	fx.Provide(provide),
	fx.Invoke(func(*Pipeline) {}),
)

type params struct {
	fx.In

	Lifecycle  fx.Lifecycle
	Config     Config
	Connection *connection.Connection `optional:"true"`
	Publisher  publisher.Publisher    `optional:"true"`
	Logger     *slog.Logger           `optional:"true"`
}

func provide(p params) (*Pipeline, error) {
	switch {
	case p.Connection == nil:
		return nil, errors.New("pipeline: there is no connection, add connection.Module and a connection.Config to the app")
	case p.Publisher == nil:
		return nil, errors.New("pipeline: there is no publisher, add publisher.Module to the app")
	}
	if p.Config.Logger == nil {
		p.Config.Logger = p.Logger
	}
	bank, err := New(p.Connection, p.Publisher, p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StartStopHook(bank.Start, bank.Stop))
	if p.Config.Completed == nil {
		return bank, nil
	}
	n, err := NewNotifier(bank)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StartStopHook(n.Start, n.Stop))
	return bank, nil
}
