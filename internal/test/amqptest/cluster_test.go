package amqptest_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// confirmed publishes until the broker confirms: it may refuse messages while a queue has no
// leader.
func confirmed(t *testing.T, ch *amqp.Channel, queue, body string) {
	t.Helper()
	amqptest.Eventually(t, 60*time.Second, func() bool {
		t.Helper()
		confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{Body: []byte(body), DeliveryMode: amqp.Persistent})
		if err != nil {
			t.Fatal(err)
		}
		wantWithin(t, confirm.Done(), 60*time.Second, "confirm")
		return confirm.Acked()
	}, "%q is not accepted", body)
}

func TestAClusterOutlivesItsQueuesLeader(t *testing.T) {
	amqptest.Long(t)
	cluster := amqptest.StartCluster(t)
	if urls := cluster.URLs(); len(urls) != 3 || urls[0] == urls[1] || urls[1] == urls[2] || urls[2] == urls[0] {
		t.Fatalf("got %v, want three nodes", urls)
	}
	const queue = "orders"
	declare := func(url string) *amqp.Channel {
		t.Helper()
		_, ch := channelOn(t, url)
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			t.Fatal(err)
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		return ch
	}
	confirmed(t, declare(cluster.URLs()[0]), queue, "before")
	for _, node := range cluster.Nodes {
		node.Settle()
	}

	killed := cluster.Leader(queue)
	killed.Kill()
	second := cluster.Leader(queue)
	if second == killed {
		t.Fatal("the leader is the node that was killed")
	}
	confirmed(t, declare(second.URL), queue, "meanwhile")

	killed.Start()
	second.Freeze()
	third := cluster.Leader(queue)
	if third == second {
		t.Fatal("the leader is the node that is frozen")
	}
	second.Thaw()
	_, ch := channelOn(t, third.URL)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirmed(t, ch, queue, "in the end")

	got := map[string]bool{}
	amqptest.Eventually(t, 30*time.Second, func() bool {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			got[string(d.Body)] = true
		}
		return got["before"] && got["meanwhile"] && got["in the end"]
	}, "a confirmed message is not there")
}

// A queue that was declared just before a kill can be dead on the node for good: see Settle.
func TestAQuorumQueueThatHasSettledOutlivesAKill(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t)
	_, ch := channelOn(t, broker.URL)
	const queue = "orders"
	if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirmed(t, ch, queue, "kept")

	broker.Settle()
	broker.Kill()
	broker.Start()

	_, ch = channelOn(t, broker.URL)
	amqptest.Eventually(t, 30*time.Second, func() bool {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		return ok && string(d.Body) == "kept"
	}, "the message is not there")
}
