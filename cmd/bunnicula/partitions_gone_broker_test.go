package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// holdByNobody makes a queue's active consumer one that has ended: RabbitMQ 4.3 does that if
// another one with a higher priority came and ended before it.
func holdByNobody(t *testing.T, url, queue string) {
	t.Helper()
	declaring, err := amqptest.DialURL(t, url).Channel()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		name := topology.PartitionQueue(queue, i)
		specs := consumer.Partitioned(2, consumer.Spec{Queue: queue, Backoff: []time.Duration{}, Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }})
		plan, err := specs[i].Plan()
		if err != nil {
			t.Fatal(err)
		}
		topo, err := topology.New(plan)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range topo.Queues {
			if _, err := declaring.QueueDeclare(q.Name, true, false, false, false, amqp.Table(q.Arguments)); err != nil {
				t.Fatal(err)
			}
		}
		if err := declaring.PublishWithContext(t.Context(), "", name, false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
	}
	name := topology.PartitionQueue(queue, 0)
	subscribe := func(tag string, priority int) (*amqp.Connection, <-chan amqp.Delivery) {
		conn := amqptest.DialURL(t, url)
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		all, err := ch.Consume(name, tag, false, false, false, false, amqp.Table{"x-priority": priority})
		if err != nil {
			t.Fatal(err)
		}
		return conn, all
	}
	first, all := subscribe("first", 0)
	<-all
	successor, _ := subscribe("successor", 5)
	_ = successor.Close()
	subscribe("third", -5)
	_ = first.Close()
}

func TestAPartitionThatIsHeldByAConsumerThatHasEndedIsFound(t *testing.T) {
	if !amqptest.AtLeast(t, 4, 3) {
		t.Skip("only RabbitMQ 4.3 has the fault")
	}
	amqptest.Long(t)
	t.Parallel()
	b, api := amqptest.StartManaged(t)
	const queue = "orders"
	holdByNobody(t, b.URL, queue)
	s := offline(t)
	s.env["AMQP_URL"], s.env["RABBITMQ_MANAGEMENT_URL"] = b.URL, api
	eventually := func(look func() bool) {
		t.Helper()
		amqptest.Eventually(t, time.Minute, look, "the API does not tell") // it is some seconds behind
	}
	eventually(func() bool {
		return strings.Contains(s.run("partitions", queue, "--of", "2").out, "is held by consumer first, which has ended")
	})
	r := s.run("partitions", queue, "--of", "2", "--json").want(t, exitFound)
	var shown partitionsShown
	if err := json.Unmarshal([]byte(r.out), &shown); err != nil || len(shown.List) != 2 {
		t.Fatalf("%v: %s", err, r.out)
	}
	if p := shown.List[0]; p.Trouble != "holder gone" || !p.Still || p.Gone == nil || p.Gone.Tag != "first" || !strings.HasPrefix(p.Gone.Node, "bunnicula-") {
		t.Errorf("%+v", p)
	}
	if p := shown.List[1]; p.Trouble != "nobody" || p.Gone != nil {
		t.Errorf("of the other: %+v", p)
	}
	got := s.run("doctor", queue, "--json").want(t, exitFound).out
	for _, want := range []string{"partition-gone", "it is held by consumer first, which does not exist", "start its leader, on node " + shown.List[0].Gone.Node} {
		if !strings.Contains(got, want) {
			t.Errorf("the doctor says %s, want %q", got, want)
		}
	}

	b.Stop() // what is advised
	b.Start()
	eventually(func() bool {
		out := s.run("partitions", queue, "--of", "2", "--json").out
		return strings.Contains(out, `"trouble": "nobody"`) && !strings.Contains(out, "holder gone")
	})
}
