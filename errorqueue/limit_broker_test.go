package errorqueue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// policy sets a policy for queues whose names match a pattern, until the test's end, and waits
// until the queue has it.
func policy(t *testing.T, pattern, queue, definition string) {
	t.Helper()
	name := "errorqueue-" + queue
	amqptest.Ctl(t, "set_policy", name, pattern, definition, "--apply-to", "queues")
	t.Cleanup(func() { amqptest.Ctl(t, "clear_policy", name) })
	deadline := time.Now().Add(10 * time.Second)
	for !applied(t, queue, name) {
		if time.Now().After(deadline) {
			t.Fatalf("queue %s has no policy %s", queue, name)
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // the queue's leader gets its new configuration behind that
}

func applied(t *testing.T, queue, name string) bool {
	t.Helper()
	for line := range strings.Lines(amqptest.Ctl(t, "list_queues", "--silent", "name", "policy")) {
		if strings.TrimSpace(line) == queue+"\t"+name {
			return true
		}
	}
	return false
}

// everyMessage checks that the queue has each of n messages once.
func everyMessage(t *testing.T, queue string, n int) {
	t.Helper()
	times := map[string]int{}
	for _, d := range empty(t, queue) {
		times[d.MessageId]++
	}
	for i := range n {
		if times[id(i)] != 1 {
			t.Errorf("message %s is there %d times, want once; %d messages of %d", id(i), times[id(i)], len(times), n)
			return
		}
	}
	if len(times) != n {
		t.Errorf("%d messages, want %d", len(times), n)
	}
}

// However low the limit is, and whoever has set it, no reading makes the queue drop a message.
func TestReadingNeverDropsWhatIsParked(t *testing.T) {
	const n = 30
	each := func(t *testing.T, limit int, declare func(t *testing.T) (queue string)) {
		mosts := []int{0, 4} // messages of each reading; 0 is all
		if testing.Short() {
			mosts = mosts[:1]
		}
		for _, most := range mosts {
			t.Run(fmt.Sprintf("%d, %d each", limit, most), func(t *testing.T) {
				t.Parallel()
				queue := declare(t)
				park(t, queue, n)
				readOften(t, queue, n, most, limit+5)
			})
		}
	}
	t.Run("argument", func(t *testing.T) {
		t.Parallel()
		limits := []int{0, 1, 2, 3, 5, 20}
		if testing.Short() {
			limits = []int{2}
		}
		for _, limit := range limits {
			each(t, limit, func(t *testing.T) string {
				queue := amqptest.Queue(t, "errors")
				arguments := amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": limit}
				if _, err := amqptest.Channel(t).QueueDeclare(queue+"-error", true, false, false, false, arguments); err != nil {
					t.Fatal(err)
				}
				return queue
			})
		}
	})
	t.Run("policy", func(t *testing.T) {
		t.Parallel()
		limits := []int{0, 2, 5}
		if testing.Short() {
			limits = []int{5}
		}
		for _, limit := range limits {
			first := declare(t, topology.Quorum)
			policy(t, "^"+first, first+"-error", fmt.Sprintf(`{"delivery-limit":%d}`, limit))
			each(t, limit, func(t *testing.T) string {
				queue := amqptest.Queue(t, first)
				topo, err := topology.New(topology.Plan{Queue: queue})
				if err == nil {
					err = topo.Declare(amqptest.Channel(t))
				}
				if err != nil {
					t.Fatal(err)
				}
				return queue
			})
		}
	})
}

func readOften(t *testing.T, queue string, n, most, times int) {
	t.Helper()
	q := open(t, Config{Queue: queue})
	for i := range times {
		want := n
		if most > 0 {
			want = most
		}
		if got := len(list(t, q, ListOptions{Limit: most})); got != want {
			t.Fatalf("reading %d finds %d messages, want %d", i, got, want)
		}
	}
	everyMessage(t, q.Name(), n)
}

// A policy comes when the messages have been read more often than it allows.
func TestAPolicyThatComesLaterDropsNothing(t *testing.T) {
	amqptest.Long(t)
	queue := declare(t, topology.Quorum)
	const n = 30
	park(t, queue, n)
	readFrom(t, queue, 7)
	policy(t, "^"+queue, queue+"-error", `{"delivery-limit":3}`)
	readFrom(t, queue, 9)
	everyMessage(t, queue+"-error", n)
}

func readFrom(t *testing.T, queue string, times int) {
	t.Helper()
	q := open(t, Config{Queue: queue})
	for range times {
		if _, err := q.Groups(t.Context(), GroupOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// The limit is known, so nothing has to be tried.
func TestAKnownLimitIsKept(t *testing.T) {
	amqptest.Long(t)
	for _, limit := range []int{1, 2, 6} {
		queue := declare(t, topology.Quorum)
		policy(t, "^"+queue, queue+"-error", fmt.Sprintf(`{"delivery-limit":%d}`, limit))
		const n = 30
		park(t, queue, n)
		q := open(t, Config{Queue: queue, DeliveryLimit: limit})
		for range limit + 5 {
			if got := len(list(t, q, ListOptions{})); got != n {
				t.Fatalf("limit %d: %d messages, want %d", limit, got, n)
			}
		}
		everyMessage(t, q.Name(), n)
	}
}

// Without a limit the queue keeps its order.
func TestReadingAgainAndAgainKeepsTheOrder(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n = 60
		park(t, queue, n)
		q := open(t, Config{Queue: queue})
		for _, most := range []int{0, 10, 25, 0, 3, 60} {
			list(t, q, ListOptions{Limit: most})
		}
		inOrder(t, q.Name(), n, nil)
	})
}

// The management API tells the limit, so no message has to find it out.
func TestTheManagementAPITellsTheLimit(t *testing.T) {
	amqptest.Long(t)
	b, api := amqptest.StartManaged(t)
	b.Ctl("set_policy", "company", ".*", `{"delivery-limit":3}`, "--apply-to", "queues")
	topo, err := topology.New(topology.Plan{Queue: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	ch := on(t, b)
	if err := topo.Declare(ch); err != nil {
		t.Fatal(err)
	}
	const n = 20
	publish(t, ch, "orders-error", n, func(i int) amqp.Publishing { return parked("orders", i) })
	conn := connecttest.New(t, connection.Config{URL: b.URL, Management: api})
	q, err := Open(t.Context(), conn, Config{Queue: "orders"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close(context.Background()) })
	amqptest.Eventually(t, 30*time.Second, func() bool {
		known, err := conn.Transport().Effective(t.Context(), q.Name())
		return err == nil && limitOf(known) == 3
	}, "the API does not tell the limit")
	for range 9 {
		if got := len(list(t, q, ListOptions{})); got != n {
			t.Fatalf("%d messages, want %d", got, n)
		}
	}
	if got := len(drain(t, ch, q.Name())); got != n {
		t.Errorf("%d messages are left, want %d", got, n)
	}
}

// A quorum queue of RabbitMQ 3.10 that has no limit puts what it gets back behind all others. That
// is not taken for a loss.
func TestAQueueWithoutALimitHasEachMessageOnce(t *testing.T) {
	for _, most := range []int{0, 2} {
		queue := amqptest.Queue(t, "errors")
		if _, err := amqptest.Channel(t).QueueDeclare(queue+"-error", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			t.Fatal(err)
		}
		const n = 8
		park(t, queue, n)
		readOften(t, queue, n, most, 6)
	}
}
