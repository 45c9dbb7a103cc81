package topology_test

import (
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// declare declares the topology of a plan on a channel of its own, because the broker closes the
// channel with a refusal. Its queues are deleted at the end of the test.
func declare(t *testing.T, p topology.Plan) error {
	t.Helper()
	deleteAtEnd(t, p)
	return mustNew(t, p).Declare(amqptest.Channel(t))
}

func deleteAtEnd(t *testing.T, p topology.Plan) {
	t.Helper()
	topo := mustNew(t, p)
	names := topo.Names()
	for _, e := range topo.Exchanges {
		names = append(names, e.Name)
	}
	amqptest.Cleanup(t, names...)
}

// raw declares a queue with the client library alone.
func raw(t *testing.T, name string, arguments amqp.Table) {
	t.Helper()
	amqptest.Cleanup(t, name)
	if _, err := amqptest.Channel(t).QueueDeclare(name, true, false, false, false, arguments); err != nil {
		t.Fatal(err)
	}
}

// publish publishes a message to the destination d, and waits until a queue has it.
func publish(t *testing.T, d route.Destination, body string) {
	t.Helper()
	msg := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)}
	if d.Expiration > 0 {
		msg.Expiration = strconv.FormatInt(d.Expiration.Milliseconds(), 10)
	}
	amqptest.Publish(t, d.Exchange, d.RoutingKey, msg)
}

// receive takes one message from a queue.
func receive(t *testing.T, queue string) string {
	t.Helper()
	return string(amqptest.Get(t, queue).Body)
}

// reject rejects the next message of a queue, so that it is dead-lettered.
func reject(t *testing.T, queue string) {
	t.Helper()
	ch := amqptest.Channel(t)
	amqptest.Eventually(t, 10*time.Second, func() bool {
		d, ok, err := ch.Get(queue, false)
		return err == nil && ok && d.Reject(false) == nil
	}, "no message in %s", queue)
}
