package topology_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// clojure declares the same as bunnicula.component.consumer-with-retry, with the same calls.
func clojure(t *testing.T, q, exchange string) {
	t.Helper()
	ch := amqptest.Channel(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	queue := func(name string, arguments amqp.Table) {
		t.Helper()
		_, err := ch.QueueDeclare(name, true, false, false, false, arguments)
		must(err)
	}
	must(ch.ExchangeDeclare(q+"-retry", "fanout", false, true, false, false, nil))
	must(ch.ExchangeDeclare(q+"-error", "topic", true, false, false, false, nil))
	must(ch.ExchangeDeclare(q+"-retry-requeue", "fanout", false, true, false, false, nil))
	queue(q, amqp.Table{})
	queue(q+"-retry", amqp.Table{"x-dead-letter-exchange": q + "-retry-requeue"})
	queue(q+"-error", amqp.Table{})
	must(ch.QueueBind(q, q, exchange, false, nil))
	must(ch.QueueBind(q, "#", q+"-retry-requeue", false, nil))
	must(ch.QueueBind(q+"-error", "#", q+"-error", false, nil))
	must(ch.QueueBind(q+"-retry", "#", q+"-retry", false, nil))
}

func TestBunniculaAndClojureDeclareTheSame(t *testing.T) {
	for name, goFirst := range map[string]bool{"Clojure first": false, "Go first": true} {
		t.Run(name, func(t *testing.T) {
			queue := amqptest.Queue(t, "topology")
			exchange := queue + "-main"
			ch := amqptest.Channel(t)
			if err := ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
				t.Fatal(err)
			}
			amqptest.Cleanup(t, exchange)

			plan := topology.Plan{
				Queue: queue, Delays: []time.Duration{100 * time.Millisecond}, Scheme: topology.Bunnicula,
				Bindings: []topology.Bind{{Exchange: exchange}},
			}
			if !goFirst {
				clojure(t, queue, exchange)
			}
			if err := declare(t, plan); err != nil {
				t.Fatal(err)
			}
			if goFirst {
				clojure(t, queue, exchange)
			}

			// Each message arrives once: there is no additional binding.
			publish(t, route.Destination{Exchange: exchange, RoutingKey: queue}, "published")
			publish(t, route.Error(mustNew(t, plan)), "parked")
			receive(t, queue)
			receive(t, queue+"-error")
			publish(t, route.Retry(mustNew(t, plan), 0), "retried")
			receive(t, queue)
			time.Sleep(50 * time.Millisecond)
			for _, name := range []string{queue, queue + "-retry", queue + "-error"} {
				if n := amqptest.Depth(t, name); n != 0 {
					t.Errorf("queue %q: %d messages more", name, n)
				}
			}
		})
	}
}
