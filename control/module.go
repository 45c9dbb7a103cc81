package control

import (
	"context"
	"errors"
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/health"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// EventsModule publishes the events of all consumers of an fx app, over the app's Connection and by
// a Publisher of its own. It provides the *EventMonitor, and its metrics to monitoring/prometheus.
// It uses an EventsConfig if the app provides one. The last events are published after the
// consumers have stopped.
//
// It is a monitor beside others: unlike a monitoring module it leaves the log of deliveries where
// it is. Consumers on a connection.Named have their events on the app's Connection too.
var EventsModule = fx.Module("bunnicula.control.events",
	fx.Provide(provideEvents, fx.Annotate(metricsOf, fx.ResultTags(`group:"bunnicula.metrics"`))),
	monitors.Beside(func(m *EventMonitor) *EventMonitor { return m }),
)

// metricsOf provides the Metrics to monitoring/prometheus, whose Source has this type.
func metricsOf(m *EventMonitor) func(tell func(name string, value float64, labels ...string)) {
	return m.Metrics
}

type eventsParams struct {
	fx.In

	Lifecycle  fx.Lifecycle
	Connection *connection.Connection `optional:"true"`
	Config     EventsConfig           `optional:"true"`
	Logger     *slog.Logger           `optional:"true"`
}

func provideEvents(p eventsParams) (*EventMonitor, error) {
	if p.Config.Connection == nil {
		p.Config.Connection = p.Connection
	}
	if p.Config.Connection == nil {
		return nil, errors.New("control: there is no connection for events, add connection.Module and a connection.Config to the app, or set EventsConfig.Connection")
	}
	if p.Config.Logger == nil {
		p.Config.Logger = p.Logger
	}
	pub, err := publisher.New(p.Config.Connection, publisher.Config{Window: maxBatch, Timeout: patience}, p.Config.Logger)
	if err != nil {
		return nil, err
	}
	m, err := Events(pub, p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.Hook{
		OnStart: func(context.Context) error { m.Start(); return nil },
		OnStop: func(ctx context.Context) error {
			m.Stop(ctx)
			return pub.Stop(ctx)
		},
	})
	return m, nil
}

// Module has the app's consumers obey the orders of a [Fleet], which the command "bunnicula
// control" gives. It provides the *Agent, on the app's Connection, for all consumers of the app. It
// uses an AgentConfig if the app provides one. Consumers start when their orders are known. What
// may keep orders from this process is a warning of package health, if the app has it.
//
// Whoever may write to the exchange AgentConfig.Stream may stop the app's consumers:
// docs/SECURITY.md has the permissions.
var Module = fx.Module("bunnicula.control",
	fx.Provide(provideAgent, fx.Annotate(func(a *Agent) consumer.Overseer { return a }, fx.ResultTags(`group:"bunnicula.overseers"`))),
	fx.Invoke(watchAgent),
)

type agentParams struct {
	fx.In

	Lifecycle  fx.Lifecycle
	Connection *connection.Connection `optional:"true"`
	Config     AgentConfig            `optional:"true"`
	Logger     *slog.Logger           `optional:"true"`
}

func provideAgent(p agentParams) (*Agent, error) {
	if p.Connection == nil {
		return nil, errors.New("control: there is no connection for orders, add connection.Module and a connection.Config to the app")
	}
	if p.Config.Logger == nil {
		p.Config.Logger = p.Logger
	}
	a, err := NewAgent(p.Connection, p.Config)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StartStopHook(a.Start, a.Stop))
	return a, nil
}

// watchAgent lets health look at the Agent, if the app has both.
func watchAgent(p struct {
	fx.In

	Agent  *Agent
	Health *health.Health `optional:"true"`
}) {
	if p.Health != nil {
		p.Health.WatchPart("control", "agent", p.Agent.Health)
	}
}
