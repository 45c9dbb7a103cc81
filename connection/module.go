package connection

import (
	"context"
	"fmt"
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Module provides a *Connection made from the application's Config, and from its *slog.Logger if it
// has one. The Connection connects when the first consumer or publisher starts, and closes after
// all of them have stopped.
var Module = fx.Module("bunnicula.connection", fx.Provide(provide, fx.Annotate(metricsOf, metricsGroup)))

// Named provides another Connection beside the application's own. A consumer whose Spec.Connection
// is this name uses it, and so does a constructor that asks for a *Connection with the tag
// `name:"..."`. Its Config.Name defaults to the name of the program with this name behind it, so
// that the broker's tools, health and metrics tell it from the app's own.
func Named(name string, cfg Config) fx.Option {
	if name == "" {
		return fx.Error(fmt.Errorf("connection.Named: the name is empty; the app's own connection comes from connection.Module"))
	}
	if cfg.Name == "" {
		cfg.Name = programName() + " " + name
	}
	return fx.Module("bunnicula.connection."+name,
		fx.Provide(
			fx.Annotate(
				func(lc fx.Lifecycle, log *slog.Logger, stand transport.Stand) (*Connection, error) {
					if stand != nil { // of a test
						return keep(lc, Over(stand(cfg.Name))), nil
					}
					return start(lc, cfg, log)
				},
				fx.ParamTags(``, `optional:"true"`, `optional:"true"`), fx.ResultTags(fmt.Sprintf("name:%q", name)),
			),
			fx.Annotate(
				func(c *Connection) NamedConnection { return NamedConnection{name, c} },
				fx.ParamTags(fmt.Sprintf("name:%q", name)),
				fx.ResultTags(`group:"bunnicula.connections"`),
			),
			fx.Annotate(metricsOf, fx.ParamTags(fmt.Sprintf("name:%q", name)), metricsGroup),
		),
	)
}

// NamedConnection is a Connection of [Named], as a member of an fx value group.
type NamedConnection struct {
	Name       string
	Connection *Connection
}

// metricsGroup is the value group in which monitoring/prometheus finds the Metrics of connections
// and consumers. The type of its members has no name, so that none of these packages has to import
// another.
var metricsGroup = fx.ResultTags(`group:"bunnicula.metrics"`)

func metricsOf(c *Connection) func(tell func(name string, value float64, labels ...string)) {
	return c.Metrics
}

type params struct {
	fx.In

	Lifecycle fx.Lifecycle
	Config    Config
	Logger    *slog.Logger `optional:"true"`
}

func provide(p params) (*Connection, error) { return start(p.Lifecycle, p.Config, p.Logger) }

func start(lc fx.Lifecycle, cfg Config, log *slog.Logger) (*Connection, error) {
	c, err := New(cfg, log)
	if err != nil {
		return nil, err
	}
	return keep(lc, c), nil
}

// keep lets the app stop the Connection.
func keep(lc fx.Lifecycle, c *Connection) *Connection {
	lc.Append(fx.StopHook(func(ctx context.Context) error { return c.Stop(ctx) }))
	return c
}
