package topology_test

import (
	"errors"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// orders is the stream of orders of an actor, and their exchange.
func (a actor) orders() string { return "bunnicula-" + a.queue + "-control" }

// obey reads orders as an app does, of a stream that somebody else has declared. It returns what
// its health says of a refusal.
func (a actor) obey() error {
	a.t.Helper()
	amqptest.Cleanup(a.t, a.orders())
	ch := amqptest.Channel(a.t)
	if _, err := ch.QueueDeclare(a.orders(), true, false, false, false, map[string]any{"x-queue-type": "stream"}); err != nil {
		a.t.Fatal(err)
	}
	if err := ch.ExchangeDeclare(a.orders(), "direct", true, false, false, false, nil); err != nil {
		a.t.Fatal(err)
	}
	if err := ch.QueueBind(a.orders(), a.orders(), a.orders(), false, nil); err != nil {
		a.t.Fatal(err)
	}
	agent, err := control.NewAgent(a.conn, control.AgentConfig{Stream: a.orders(), Logger: slog.New(slog.NewTextHandler(a.log, nil))})
	if err != nil {
		a.t.Fatal(err)
	}
	if err := agent.Start(a.ctx); err != nil {
		a.t.Fatal(err)
	}
	defer func() {
		if err := agent.Stop(a.ctx); err != nil {
			a.t.Errorf("stop: %v", err)
		}
	}()
	refused := func() string { return a.log.line("orders may be missed") }
	amqptest.Eventually(a.t, 20*time.Second, func() bool {
		warning, _ := agent.Health()
		return warning == "" || refused() != ""
	}, "orders are neither read nor refused")
	time.Sleep(200 * time.Millisecond) // a refusal of the subscription comes later
	if refused() != "" {
		return errors.New(refused())
	}
	return nil
}

// command gives an order, as bunnicula control does.
func (a actor) command() error {
	a.t.Helper()
	amqptest.Cleanup(a.t, a.orders())
	fleet, err := control.NewFleet(a.conn, control.FleetConfig{Stream: a.orders()})
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() {
		if err := fleet.Stop(a.ctx); err != nil {
			a.t.Errorf("stop: %v", err)
		}
	}()
	if _, err := fleet.Pause(a.ctx, control.Command{Consumers: []string{"orders"}, Forever: true, Anyway: true, Wait: time.Second}); err != nil {
		return err
	}
	_, err = fleet.Orders(a.ctx)
	return err
}
