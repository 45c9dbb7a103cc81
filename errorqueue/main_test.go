package errorqueue

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// The sizes of the largest tests.
var (
	many  = flag.Int("many", manyByDefault, "messages in the tests of bulk, 1500 of them with -short")
	reads = flag.Int("reads", 1000, "how often a queue is read, a tenth of it with -short")
)

const manyByDefault = 5000

// bulk is how many messages the tests of bulk have: -many, or less with -short.
func bulk() int {
	if testing.Short() && *many == manyByDefault {
		return 1500
	}
	return *many
}

func TestMain(m *testing.M) {
	if os.Getenv(redriverVar) != "" {
		os.Exit(redriver())
	}
	if os.Getenv(removerVar) != "" {
		os.Exit(remover())
	}
	goleak.VerifyTestMain(m)
}

// open opens an error queue. The Config has its defaults except for what the test sets.
func open(t testing.TB, cfg Config) *Queue {
	t.Helper()
	q, err := Open(t.Context(), connecttest.New(t, connection.Config{}), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		q.Close(ctx)
	})
	return q
}

// kinds are the types of queues with which every test runs.
var kinds = []topology.QueueType{topology.Quorum, topology.Classic}

// eachKind runs a test for each type of queue, side by side. The test gets the name of a main queue
// that is declared, and so is its error queue.
func eachKind(t *testing.T, test func(t *testing.T, queue string)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, declare(t, kind))
		})
	}
}

// eachKindInTurn is eachKind for a test that measures the process.
func eachKindInTurn(t *testing.T, test func(t *testing.T, queue string)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) { test(t, declare(t, kind)) })
	}
}

// declare declares a consumer's queues and returns the name of the main queue.
func declare(t testing.TB, kind topology.QueueType) string {
	t.Helper()
	queue := amqptest.Queue(t, "errors", "-archive")
	topo, err := topology.New(topology.Plan{Queue: queue, Type: kind})
	if err != nil {
		t.Fatal(err)
	}
	if err := topo.Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
	return queue
}

// parked returns a message in the form in which a consumer parks it.
func parked(queue string, n int) amqp.Publishing {
	return amqp.Publishing{
		DeliveryMode: amqp.Persistent, MessageId: id(n), ContentType: "application/json", Timestamp: time.Unix(1_800_000_000, 0),
		Body: fmt.Appendf(nil, `{"n": %d}`, n),
		Headers: amqp.Table{
			"tenant": "acme", "n": int32(n),
			wire.RetryAttempts: int64(3), wire.Reason: "timeout", wire.Error: "dial tcp: connection refused", wire.ErrorType: "*net.OpError",
			wire.ErrorGroup: "0123456789abcdef", wire.Queue: queue, wire.Consumer: "c", wire.App: "shop", wire.AppVersion: "v1.2.0", wire.Host: "h",
			wire.FailedAt: "2026-11-01T10:00:00Z", wire.FirstFailedAt: "2026-11-01T09:00:00Z",
			wire.History:          `[{"at":"2026-11-01T10:00:00Z","attempt":4,"reason":"timeout","error":"late","host":"h","ms":1500}]`,
			wire.OriginalExchange: "shop", wire.OriginalRoutingKey: "order.placed",
		},
	}
}

func id(n int) string { return fmt.Sprintf("m%06d", n) }

// fill publishes messages from 0 to n-1 into a queue.
func fill(t testing.TB, queue string, n int, message func(i int) amqp.Publishing) {
	t.Helper()
	ch := amqptest.Channel(t)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	publish(t, ch, queue, n, message)
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, queue) >= n }, "%s has fewer than %d messages", queue, n)
}

// publish publishes messages from 0 to n-1 on a channel with confirms.
func publish(t testing.TB, ch *amqp.Channel, queue string, n int, message func(i int) amqp.Publishing) {
	t.Helper()
	const window = 2000
	var last *amqp.DeferredConfirmation
	for i := range n {
		confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, message(i))
		if err != nil {
			t.Fatal(err)
		}
		if last = confirm; i%window != window-1 && i < n-1 {
			continue
		}
		if ok, err := last.WaitContext(t.Context()); err != nil || !ok {
			t.Fatalf("message %d is not confirmed: %v", i, err)
		}
	}
}

// park fills the error queue of a main queue.
func park(t testing.TB, queue string, n int) {
	t.Helper()
	fill(t, topology.ErrorQueue(queue), n, func(i int) amqp.Publishing { return parked(queue, i) })
}

// inOrder empties a queue. It checks that the queue had the messages from 0 to n-1, in that order
// and once each, except for those that are left out.
func inOrder(t testing.TB, queue string, n int, out func(i int) bool) {
	t.Helper()
	var want, got []string
	for i := range n {
		if out == nil || !out(i) {
			want = append(want, id(i))
		}
	}
	for _, d := range empty(t, queue) {
		got = append(got, d.MessageId)
	}
	if len(got) != len(want) {
		t.Errorf("%s has %d messages, want %d", queue, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("message %d of %s is %s, want %s", i, queue, got[i], want[i])
		}
	}
}

// empty removes all messages of a queue, faster than one by one.
func empty(t testing.TB, queue string) []amqp.Delivery {
	t.Helper()
	n := amqptest.Depth(t, queue)
	ch := amqptest.Channel(t)
	if err := ch.Qos(1000, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume(queue, "empty", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []amqp.Delivery
	for {
		wait := 10 * time.Second
		if len(all) >= n {
			wait = 100 * time.Millisecond // there may be one message too many
		}
		select {
		case d := <-deliveries:
			all = append(all, d)
			if err := d.Ack(false); err != nil {
				t.Fatal(err)
			}
			continue
		case <-time.After(wait):
		}
		if err := ch.Close(); err != nil {
			t.Fatal(err)
		}
		return all
	}
}

// list returns the messages of a List.
func list(t testing.TB, q *Queue, o ListOptions) []Message {
	t.Helper()
	var all []Message
	for m, err := range q.List(t.Context(), o) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func terms(t testing.TB, text string) Filter {
	t.Helper()
	f, err := ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
