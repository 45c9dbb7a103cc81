package outbox

import (
	"errors"
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/health"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
)

// Module provides the *Relay of the app's *Box, which publishes on the app's Connection, and runs
// it. It uses a RelayConfig if the app provides one. The metrics of the Box go to
// monitoring/prometheus, and what the relay sees of the outbox to package health, if the app has
// them. Box.Monitor is beside the app's monitors.
//
// The app provides the *Box. The relay does not start without its tables. A start hook of the Box's
// constructor runs before those of the relay and of whatever else uses the Box:
//
//	func NewBox(lc fx.Lifecycle, db *sql.DB) (*outbox.Box, error) {
//		box, err := outbox.New(db, outbox.Postgres)
//		if err == nil {
//			lc.Append(fx.StartHook(box.Migrate))
//		}
//		return box, err
//	}
//
//	fx.New(connection.Module, outbox.Module, fx.Provide(connection.ConfigFromEnv, NewDB, NewBox))
var Module = fx.Module("bunnicula.outbox",
	fx.Provide(provideRelay, fx.Annotate(metricsOf, fx.ResultTags(`group:"bunnicula.metrics"`))),
	fx.Invoke(func(*Relay) {}),
	fx.Invoke(watchOutbox),
	monitors.Beside((*Box).Monitor),
)

// metricsOf provides the Metrics to monitoring/prometheus, whose Source has this type.
func metricsOf(b *Box) func(tell func(name string, value float64, labels ...string)) {
	return b.Metrics
}

type relayParams struct {
	fx.In

	Lifecycle  fx.Lifecycle
	Box        *Box
	Connection *connection.Connection `optional:"true"`
	Config     RelayConfig            `optional:"true"`
	Logger     *slog.Logger           `optional:"true"`
}

func provideRelay(p relayParams) (*Relay, error) {
	if p.Connection == nil {
		return nil, errors.New("outbox: there is no connection for the relay, add connection.Module and a connection.Config to the app")
	}
	if p.Config.Logger == nil {
		p.Config.Logger = p.Logger
	}
	r, err := NewRelay(p.Box, p.Connection, p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StartStopHook(r.Start, r.Stop))
	return r, nil
}

// watchOutbox lets health look at the outbox, if the app has both.
func watchOutbox(p struct {
	fx.In

	Relay  *Relay
	Health *health.Health `optional:"true"`
}) {
	if p.Health != nil {
		p.Health.WatchPart("outbox", "relay", p.Relay.Health)
	}
}
