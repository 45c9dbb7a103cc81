package main

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/topology"
)

// newQueues looks into the queues of the stages. The stream of the reports is beside them.
func newQueues(o Options, cfg connection.Config, log *slog.Logger) (drill.Queues, error) {
	plans, err := plans(o)
	if err != nil {
		return drill.Queues{}, err
	}
	return drill.NewQueues(plans, []string{o.Stream()}, cfg, log)
}

// plans are what the consumers declare. The app is made and not started, so what it has made has
// nothing to close but the database.
func plans(o Options) ([]topology.Plan, error) {
	db, err := open(o.DB)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // nothing has used it
	tell := Teller(func(string, string) {})
	return consumer.Plans(app(o, connection.Config{}, tell, slog.New(slog.DiscardHandler)), fx.Replace(db))
}
