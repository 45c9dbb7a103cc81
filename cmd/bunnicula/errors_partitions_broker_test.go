package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// parkedFamily has three partitions with two messages each parked by their consumers, one of p01
// that another program has rejected, and no consumer any more.
func parkedFamily(t *testing.T) (queue string) {
	t.Helper()
	const n = 3
	var suffixes []string
	for i := range n {
		p := topology.PartitionQueue("", i)
		suffixes = append(suffixes, p, p+"-retry-1m")
	}
	queue = amqptest.Queue(t, "orders", append(suffixes, "-archive")...)
	stream := amqptest.Queue(t, "control")
	amqptest.Cleanup(t, stream)
	w := startWorker(t, stream, consumer.Partitioned(n, consumer.Spec{
		Queue: queue, Backoff: []time.Duration{time.Minute}, MaxRetries: consumer.NoRetries,
		Handler: func(context.Context, consumer.Delivery) consumer.Result {
			return consumer.Error(errors.New("no stock"))
		},
	})...)
	for i := range 2 * n {
		amqptest.Publish(t, "", topology.PartitionQueue(queue, i%n), amqp.Publishing{MessageId: fmt.Sprint("order-", i)})
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == 2*n }, "not all are parked")
	w.stop()
	reject(t, queue+".p01", "rejected")
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == 2*n+1 }, "it is not rejected")
	return queue
}

// reject publishes a message and rejects it, as a program in another language does.
func reject(t *testing.T, queue, id string) {
	t.Helper()
	ch := amqptest.Channel(t)
	deliveries, err := ch.Consume(queue, id, false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", queue, amqp.Publishing{MessageId: id})
	d := <-deliveries
	if err := d.Reject(false); err != nil {
		t.Fatal(err)
	}
	if err := ch.Cancel(id, false); err != nil {
		t.Fatal(err)
	}
}

// idsOf returns the ids of what is parked, sorted, and leaves it there.
func idsOf(t *testing.T, s *shell, queue string, args ...string) (ids []string) {
	t.Helper()
	r := s.run(append([]string{"errors", "ls", queue, "--json"}, args...)...).want(t, exitOK)
	for line := range strings.Lines(r.out) {
		var m struct{ ID string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestWhatPartitionsHaveParkedGoesBackToItsOwn(t *testing.T) {
	t.Parallel()
	queue := parkedFamily(t)
	s := online(t)
	s.run("errors", "groups", queue).want(t, exitOK, "    6  error", "    1  rejected", "broker:rejected:"+queue+"\n", "7 messages in 2 groups")
	s.run("errors", "ls", queue+".p01").want(t, exitFailed, "bunnicula errors ... "+queue+" queue="+queue+".p01")
	if got, want := idsOf(t, s, queue, "queue="+queue+".p01"), []string{"order-1", "order-4", "rejected"}; !slices.Equal(got, want) {
		t.Errorf("p01 has parked %q, want %q", got, want)
	}

	s.run("errors", "discard", queue, "queue="+queue+".p01", "--yes").want(t, exitOK, "3 messages", "to "+queue+"-archive")
	s.run("errors", "redrive", queue+"-archive", "id=order-4", "--yes").want(t, exitOK, "to "+queue+".p01: 1 chosen")
	s.run("errors", "redrive", queue, "--all", "--yes").want(t, exitOK, "to "+queue+".p00: 2 chosen", "to "+queue+".p02: 2 chosen")
	s.run("errors", "redrive", queue+"-archive", "--all", "--yes").want(t, exitOK, "to "+queue+".p01: 2 chosen")
	for i, want := range []int{2, 3, 2} {
		if n := amqptest.Depth(t, topology.PartitionQueue(queue, i)); n != want {
			t.Errorf("partition %d has %d messages, want %d", i, n, want)
		}
	}
}

func TestWhoeverHasNoPartitionGoesNowhereByItself(t *testing.T) {
	t.Parallel()
	queue := parkedFamily(t)
	s := online(t)
	amqptest.Publish(t, "", queue+"-error", amqp.Publishing{MessageId: "stray"})
	s.run("errors", "redrive", queue, "--all", "--yes").want(t, exitFound, `queue "`+queue+`" does not exist, to which 1 message would go`, "nothing was moved")
	s.run("errors", "redrive", queue, "id=stray", "--to", queue+".p02", "--yes").want(t, exitOK, "to "+queue+".p02")
}

func TestMoveTakesAPartitionWithWhatItHasParkedAndNoFamily(t *testing.T) {
	t.Parallel()
	queue := parkedFamily(t)
	other := amqptest.Queue(t, "invoices")
	s := online(t)
	s.run("topology", "apply", "--yes", "--file", file(t, "consumers:\n  - queue: "+other+"\n    delays: [1m]\n")).want(t, exitOK)
	s.run("move", queue, other, "--old-delays", "1m", "--yes").want(t, exitFound, `queue "`+queue+`" has partitions, `+queue+`.p00 and so on`, "nothing was moved")
	s.run("move", other, queue, "--old-delays", "1m", "--yes").want(t, exitFound, `queue "`+queue+`" has partitions`, "nothing was moved")
	if n := amqptest.Depth(t, queue+"-error"); n != 7 {
		t.Fatalf("%d messages are parked, want all 7", n)
	}

	for i := range 3 {
		amqptest.Publish(t, "", queue+".p01", amqp.Publishing{MessageId: fmt.Sprint("waits-", i)})
	}
	s.run("move", queue+".p01", other, "--old-delays", "1m", "--yes").want(t, exitOK, queue+".p01", other)
	if n := amqptest.Depth(t, other); n != 3 {
		t.Errorf("%d messages are moved, want 3", n)
	}
	if got, want := idsOf(t, s, other), []string{"order-1", "order-4", "rejected"}; !slices.Equal(got, want) {
		t.Errorf("%s has parked %q, want those of p01: %q", other, got, want)
	}
	if n := amqptest.Depth(t, queue+"-error"); n != 4 {
		t.Errorf("%d messages of other partitions are left, want 4", n)
	}
	s.run("errors", "redrive", other, "--all", "--yes").want(t, exitOK, "to "+other+": 3 chosen")
	s.run("move", other, queue+".p01", "--old-delays", "1m", "--yes").want(t, exitOK)
	if n := amqptest.Depth(t, queue+".p01"); n != 6 {
		t.Errorf("%d messages are moved back, want 6", n)
	}
}
