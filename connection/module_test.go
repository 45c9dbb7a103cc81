package connection_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestModuleStopsItsConnectionsWithTheApp(t *testing.T) {
	var in struct {
		fx.In

		Own   *connection.Connection
		Other *connection.Connection       `name:"billing"`
		All   []connection.NamedConnection `group:"bunnicula.connections"`
	}
	app := fxtest.New(t, fx.NopLogger, quiet, connection.Module,
		fx.Supply(connection.Config{URL: amqptest.URL(t)}),
		connection.Named("billing", connection.Config{URL: amqptest.URL(t), Name: "other"}),
		fx.Populate(&in),
	)
	app.RequireStart()
	if in.Other.Name() != "other" || len(in.All) != 1 || in.All[0].Name != "billing" || in.All[0].Connection != in.Other {
		t.Errorf("named: %s, all: %v", in.Other.Name(), in.All)
	}
	for _, conn := range []*connection.Connection{in.Own, in.Other} {
		works(t, session(t, conn.Transport().Publishing()))
	}
	app.RequireStop()
	for _, conn := range []*connection.Connection{in.Own, in.Other} {
		if _, err := conn.Transport().Publishing().Session(soon(t)); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("after the app has stopped: %v", err)
		}
	}
}

// Whoever lists the broker's connections, or scrapes metrics, sees which is which.
func TestANamedConnectionHasANameOfItsOwn(t *testing.T) {
	var in struct {
		fx.In

		Own     *connection.Connection
		Billing *connection.Connection `name:"billing"`
		Audit   *connection.Connection `name:"audit"`
	}
	fxtest.New(t, fx.NopLogger, quiet, connection.Module,
		fx.Supply(connection.Config{}), connection.Named("billing", connection.Config{}), connection.Named("audit", connection.Config{}),
		fx.Populate(&in),
	)
	own := in.Own.Name()
	if in.Billing.Name() != own+" billing" || in.Audit.Name() != own+" audit" {
		t.Errorf("the names are %q, %q and %q", own, in.Billing.Name(), in.Audit.Name())
	}
}

func TestAWrongConfigEndsTheAppBeforeItStarts(t *testing.T) {
	for want, option := range map[string]fx.Option{
		"connection: URL is not a URL": fx.Options(connection.Module, fx.Supply(connection.Config{URL: "hunter2"}), fx.Invoke(func(*connection.Connection) {})),
		"the name is empty":            connection.Named("", connection.Config{}),
	} {
		if err := fx.New(fx.NopLogger, quiet, option).Err(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// quiet keeps the application's log out of the test's output.
var quiet = fx.Supply(slog.New(slog.DiscardHandler))
