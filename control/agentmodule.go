package control

import (
	"errors"
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/health"
)

// Module has the app's consumers obey the orders of a [Fleet], which the command "bunnicula control"
// gives. It provides the *Agent, on the app's Connection, for all consumers of the app. It uses an
// AgentConfig if the app provides one. Consumers start when their orders are known. What may keep
// orders from this process is a warning of package health, if the app has it.
//
// Whoever may write to the exchange AgentConfig.Stream may stop the app's consumers: docs/SECURITY.md
// has the permissions.
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
