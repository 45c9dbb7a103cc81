package console

import (
	"context"
	"log/slog"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/consumer"
)

func TestTheModuleGivesTheAppsConsumersAndMonitorToTheConsole(t *testing.T) {
	conn := away(t)
	one, err := consumer.New(conn, consumer.Spec{Queue: "orders", Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	group, err := consumer.NewGroup(one)
	if err != nil {
		t.Fatal(err)
	}
	var c *Console
	var m *Monitor
	app := fxtest.New(t, fx.NopLogger, Module, MonitorModule, fx.Supply(conn, Config{}, slog.New(slog.DiscardHandler), group), fx.Populate(&c, &m))
	app.RequireStart()
	if c.cfg.Consumers != group || c.cfg.Monitor != m || m == nil {
		t.Errorf("the console has %p and %p, want %p and %p", c.cfg.Consumers, c.cfg.Monitor, group, m)
	}
	app.RequireStop()
}
