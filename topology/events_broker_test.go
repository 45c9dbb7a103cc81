package topology_test

import (
	"errors"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// events is the exchange of events of an actor.
func (a actor) events() string { return "bunnicula." + a.queue + "-events" }

// tell publishes events as an app does. It returns what the log says of a refusal.
func (a actor) tell() error {
	a.t.Helper()
	amqptest.Cleanup(a.t, a.events())
	log := slog.New(slog.NewTextHandler(a.log, nil))
	pub, err := publisher.New(a.conn, publisher.Config{}, log)
	if err != nil {
		a.t.Fatal(err)
	}
	m, err := control.Events(pub, control.EventsConfig{Connection: a.conn, Exchange: a.events(), Logger: log})
	if err != nil {
		a.t.Fatal(err)
	}
	m.Start()
	defer func() {
		m.Stop(a.ctx)
		if err := pub.Stop(a.ctx); err != nil {
			a.t.Errorf("stop: %v", err)
		}
	}()
	refused := func() string { return a.log.line("events are not published") }
	amqptest.Eventually(a.t, 10*time.Second, func() bool {
		m.End(a.ctx, monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Parked})
		return m.Stats().Published > 0 || refused() != ""
	}, "events are neither published nor refused: %+v", m.Stats())
	if refused() != "" {
		return errors.New(refused())
	}
	return nil
}

// listen does what bunnicula events asks of the broker.
func (a actor) listen() error {
	a.t.Helper()
	amqptest.Cleanup(a.t, a.events())
	if err := amqptest.Channel(a.t).ExchangeDeclare(a.events(), "topic", true, false, false, false, nil); err != nil {
		a.t.Fatal(err)
	}
	ch, tail := a.channel(), a.events()+".tail"
	if _, err := ch.QueueDeclare(tail, false, true, true, false, amqp.Table{"x-queue-type": "classic"}); err != nil {
		return err
	}
	if err := ch.QueueBind(tail, "#", a.events(), false, nil); err != nil {
		return err
	}
	deliveries, err := ch.Consume(tail, "", false, true, false, false, nil)
	if err != nil {
		return err
	}
	amqptest.Publish(a.t, a.events(), "orders.parked", amqp.Publishing{Body: []byte("x")})
	select {
	case <-deliveries:
		return ch.Close()
	case <-a.ctx.Done():
		return errors.New("no event comes")
	}
}
