package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// partitioned starts an app with n partitions of a queue, and returns what stops it.
func partitioned(t *testing.T, queue string, n int) worker {
	t.Helper()
	stream := amqptest.Queue(t, "control")
	amqptest.Cleanup(t, stream)
	return startWorker(t, stream, consumer.Partitioned(n, consumer.Spec{Queue: queue, Handler: func(context.Context, consumer.Delivery) consumer.Result {
		return consumer.Ack()
	}})...)
}

func TestPartitionsAreShownAndThoseThatStandStillAreFound(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "orders")
	amqptest.Cleanup(t, queue+"-error")
	for i := range 4 {
		amqptest.Cleanup(t, topology.PartitionQueue(queue, i))
	}
	s := online(t)
	s.run("partitions", queue).want(t, exitFailed, `queue "`+queue+`" has no partitions`)
	w := partitioned(t, queue, 4)
	s.run("partitions", queue).want(t, exitOK, "p00", "p03", "somebody", "4 partitions, up to the last one that has a consumer")
	s.run("partitions", queue, "--of", "5").want(t, exitFound, "p04", "missing", "1 partition stands still")
	s.run("status", queue).want(t, exitOK, "4 partitions", "error")
	s.run("status", queue, "--all").want(t, exitOK, queue+".p03")
	if got := findings(t, s.run("doctor", queue, "--json").want(t, exitOK)); len(got) != 0 {
		t.Errorf("the doctor finds %q", got)
	}

	w.stop()
	amqptest.Publish(t, "", topology.PartitionQueue(queue, 2), amqp.Publishing{MessageId: "order-7"})
	r := s.run("partitions", queue, "--of", "2", "--json").want(t, exitFound)
	var shown partitionsShown
	if err := json.Unmarshal([]byte(r.out), &shown); err != nil || len(shown.List) != 4 || shown.Partitions != 2 {
		t.Fatalf("%v: %s", err, r.out)
	}
	for i, want := range []string{"nobody true", "nobody true", "left over true", "left over false"} {
		p := shown.List[i]
		if got := string(p.Trouble) + map[bool]string{true: " true", false: " false"}[p.Still]; got != want {
			t.Errorf("partition %d: %s, want %s", i, got, want)
		}
	}
	s.run("status", queue).want(t, exitOK, "4 without a consumer")
	got := findings(t, s.run("doctor", queue, "--json").want(t, exitFound))
	if want := "serious partition-nobody queue " + queue + ".p02"; !strings.Contains(strings.Join(got, "; "), want) {
		t.Errorf("the doctor finds %q, want %q among them", got, want)
	}
	if n := amqptest.Depth(t, topology.PartitionQueue(queue, 2)); n != 1 {
		t.Errorf("%d messages are left, want 1", n)
	}
}
