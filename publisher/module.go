package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/startup"
)

// Module provides a Publisher, and the same as a *Client, on the application's Connection. It uses
// a Config if the application provides one. The Client connects when the application starts, and
// stops before the Connection does.
var Module = fx.Module("bunnicula.publisher",
	fx.Provide(func(p params) (*Client, error) {
		if p.Connection == nil {
			return nil, errors.New("publisher: there is no connection, add connection.Module and a connection.Config to the app")
		}
		return start(p.Lifecycle, p.Connection, p.Config, p.Logger)
	}),
	fx.Provide(func(c *Client) Publisher { return c }),
)

// Named provides a Publisher, and a *Client, with the tag `name:"..."`, on the
// connection.Named of that name.
func Named(name string, cfg Config) fx.Option {
	tag := fmt.Sprintf("name:%q", name)
	optional := `optional:"true"`
	return fx.Module("bunnicula.publisher."+name, fx.Provide(
		fx.Annotate(
			func(conn *connection.Connection, lc fx.Lifecycle, log *slog.Logger) (*Client, error) {
				if conn == nil {
					return nil, fmt.Errorf("publisher.Named: there is no connection of the name %q, add connection.Named to the app", name)
				}
				return start(lc, conn, cfg, log)
			},
			fx.ParamTags(tag+" "+optional, ``, optional), fx.ResultTags(tag),
		),
		fx.Annotate(func(c *Client) Publisher { return c }, fx.ParamTags(tag), fx.ResultTags(tag)),
	))
}

type params struct {
	fx.In

	Lifecycle  fx.Lifecycle
	Connection *connection.Connection `optional:"true"`
	Config     Config                 `optional:"true"`
	Logger     *slog.Logger           `optional:"true"`
}

func start(lc fx.Lifecycle, conn *connection.Connection, cfg Config, log *slog.Logger) (*Client, error) {
	c, err := New(conn, cfg, log)
	if err != nil {
		return nil, err
	}
	lc.Append(fx.Hook{
		OnStart: func(ctx context.Context) error {
			ctx, cancel := startup.Earlier(ctx)
			defer cancel()
			return c.Start(ctx)
		},
		OnStop: func(ctx context.Context) error {
			// fx runs no further hooks once ctx has ended, so the connection is closed here.
			context.AfterFunc(ctx, conn.Abort)
			return c.Stop(ctx)
		},
	})
	return c, nil
}
