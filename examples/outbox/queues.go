package main

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/topology"
)

// newQueues looks into the queues of the consumers.
func newQueues(o Options, cfg connection.Config, log *slog.Logger) (drill.Queues, error) {
	plans, err := plans(o)
	if err != nil {
		return drill.Queues{}, err
	}
	return drill.NewQueues(plans, nil, cfg, log)
}

// plans are what the consumers declare. The app is made and not started, so its database has to be
// closed here.
func plans(o Options) ([]topology.Plan, error) {
	db, err := open(o, sessions)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // nothing has used it
	o.Parts = worker
	tell := Teller(func(string, string) {})
	return consumer.Plans(app(o, connection.Config{}, tell, slog.New(slog.DiscardHandler)), fx.Replace(db))
}
