package publisher_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestModulePublishesFromStartToStop(t *testing.T) {
	q := queue(t, quorum)
	var pub publisher.Publisher
	app := fxtest.New(t, fx.NopLogger, quiet, connection.Module, publisher.Module,
		fx.Supply(connection.Config{URL: amqptest.URL(t), Name: "fx"}),
		fx.Populate(&pub),
	)
	app.RequireStart()
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Error(err)
	}
	app.RequireStop()
	account(t, q, []string{amqptestID(t, q)})
	if err := pub.Publish(soon(t), q, 1); err == nil {
		t.Error("it publishes after the app has stopped")
	}
}

// amqptestID returns the id of the message in the queue, and puts the message back.
func amqptestID(t *testing.T, q string) string {
	d, ok, err := amqptest.Channel(t).Get(q, false)
	if err != nil || !ok {
		t.Fatalf("no message: %v", err)
	}
	if err := d.Nack(false, true); err != nil {
		t.Fatal(err)
	}
	return d.MessageId
}

func TestNamedPublishesOnItsOwnConnection(t *testing.T) {
	q := queue(t, quorum)
	var in struct {
		fx.In

		Own   publisher.Publisher
		Other publisher.Publisher    `name:"billing"`
		Conn  *connection.Connection `name:"billing"`
	}
	app := fxtest.New(t, fx.NopLogger, quiet, connection.Module, publisher.Module,
		fx.Supply(connection.Config{URL: amqptest.URL(t)}),
		connection.Named("billing", connection.Config{URL: amqptest.URL(t), Name: "billing"}),
		publisher.Named("billing", publisher.Config{Window: 2}),
		fx.Populate(&in),
	)
	app.RequireStart()
	defer app.RequireStop()
	if err := in.Other.Publish(soon(t), q, 1); err != nil {
		t.Error(err)
	}
	if d := amqptest.Get(t, q); d.AppId != "billing" {
		t.Errorf("published by %q", d.AppId)
	}
	if !in.Conn.Health().Publishing.Connected {
		t.Error("the named connection is not used")
	}
}

func TestAnAppWithAWrongUserDoesNotStart(t *testing.T) {
	app := fx.New(fx.NopLogger, quiet, connection.Module, publisher.Module,
		fx.Supply(connection.Config{URL: amqptest.URL(t), Username: "nobody", Password: "hunter2"}),
		fx.Invoke(func(publisher.Publisher) {}),
	)
	err := app.Start(soon(t))
	if !transport.Permanent(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	_ = app.Stop(context.Background())
}

// quiet keeps the application's log out of the test's output.
var quiet = fx.Supply(slog.New(slog.DiscardHandler))
