package control_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

// Whoever may ask names the address of the answer. Without the check RabbitMQ 3.10 ends the app's
// publishing connection over the first ones, again and again, and the last one is a message to a
// queue of the app.
func TestWhoAsksCannotEndAConnectionOfTheAppNorWriteToItsQueues(t *testing.T) {
	stream, queue := streamOf(t), amqptest.Queue(t, "orders")
	log := new(journal)
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Name: t.Name()}, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(connecttest.Within(t, 5*time.Second)) })
	handled := make(chan consumer.Delivery, 10)
	run(t, conn, control.AgentConfig{Stream: stream}, func(_ context.Context, d consumer.Delivery) consumer.Result {
		handled <- d
		return consumer.Ack()
	}, queue)
	ch := amqptest.Channel(t)
	const pid = "g1h2AA5yZXBseUAzNTY0NzAyOAAAapwAAAAUaw3CkQ==" // of nobody
	for i, to := range []string{"!!!.x", "AAAA.x", "g1hkAA.x", "", "abcd", pid, pid + ".x", queue} {
		if to != queue {
			to = "amq.rabbitmq.reply-to." + to
		}
		body := fmt.Sprintf(`{"version":1,"id":"a%d","kind":"ask","at":%q}`, i, time.Now().UTC().Format(time.RFC3339Nano))
		if err := ch.PublishWithContext(t.Context(), stream, stream, true, false, amqp.Publishing{Body: []byte(body), ReplyTo: to}); err != nil {
			t.Fatal(err)
		}
	}
	// Who asks as one should is answered behind them.
	if all, err := fleetOf(t, connecttest.New(t, connection.Config{}), stream).Processes(t.Context(), 0); err != nil || len(all) != 1 {
		t.Errorf("%d processes, %v", len(all), err)
	}
	if lost := log.lines("connection lost"); len(lost) > 0 {
		t.Errorf("the app has lost connections:\n%s", strings.Join(lost, ""))
	}
	if len(handled) > 0 {
		t.Errorf("an answer came into the app's queue: %s", (<-handled).Body)
	}
}
