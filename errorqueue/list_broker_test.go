package errorqueue

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestAListChangesNothing(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		// More windows, of 25 messages each, than one channel of a reader may have.
		const n = 1500
		park(t, queue, n)
		q := open(t, Config{Queue: queue, Window: 25})
		for range 2 {
			all := list(t, q, ListOptions{})
			if len(all) != n {
				t.Fatalf("%d messages, want %d", len(all), n)
			}
			for i, m := range all {
				if m.ID != id(i) || m.Position != i+1 {
					t.Fatalf("message %d is %s, at %d", i, m.ID, m.Position)
				}
			}
			if depth := amqptest.Depth(t, q.Name()); depth != n {
				t.Errorf("when the list is over %d messages are there, want %d", depth, n)
			}
		}
		inOrder(t, q.Name(), n, nil)
	})
}

func TestAListThatIsBrokenOffGivesEverythingBack(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n = 300
		park(t, queue, n)
		q := open(t, Config{Queue: queue, Window: 20})
		seen := 0
		for _, err := range q.List(t.Context(), ListOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			if seen++; seen == 150 {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen = 0
		for _, err := range q.List(ctx, ListOptions{}) {
			if seen++; seen == 100 {
				cancel()
			}
			if seen > 100 && !errors.Is(err, context.Canceled) {
				t.Fatalf("message %d comes after the context's end, err %v", seen, err)
			}
		}
		if seen != 101 {
			t.Errorf("%d messages and errors, want 101", seen)
		}
		if depth := amqptest.Depth(t, q.Name()); depth != n {
			t.Errorf("%d messages are there, want %d", depth, n)
		}
		inOrder(t, q.Name(), n, nil)
	})
}

func TestAThousandReadsLoseNothing(t *testing.T) {
	t.Parallel()
	reads := *reads
	if testing.Short() {
		reads /= 25
	}
	queue := declare(t, topology.Quorum)
	const n = 40
	park(t, queue, n)
	q := open(t, Config{Queue: queue})
	for i := range reads {
		if got := len(list(t, q, ListOptions{})); got != n {
			t.Fatalf("read %d finds %d messages, want %d", i, got, n)
		}
	}
	s, err := q.link.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	if s.Peer().NackCounts() {
		want = reads
	}
	// The first message was the scout, and has been delivered more often.
	if m := list(t, q, ListOptions{Limit: 2}); m[1].Deliveries != want {
		t.Errorf("the queue has counted %d deliveries, want %d", m[1].Deliveries, want)
	}
	inOrder(t, q.Name(), n, nil)
}

func TestAQueueThatDoesNotExistIsAnErrorAtOnce(t *testing.T) {
	queue := amqptest.Queue(t, "errors")
	_, err := Open(t.Context(), connecttest.New(t, connection.Config{}), Config{Queue: queue}, nil)
	if !errors.Is(err, ErrNoQueue) {
		t.Errorf("got %v, want ErrNoQueue", err)
	}
	if amqptest.Exists(t, queue+"-error") {
		t.Error("it was declared")
	}
}

func TestTwoReadersTakeTurns(t *testing.T) {
	queue := declare(t, topology.Quorum)
	const n = 200
	park(t, queue, n)
	first := open(t, Config{Queue: queue})
	impatient, patient := open(t, Config{Queue: queue, Wait: NoWait}), open(t, Config{Queue: queue, Wait: 30 * time.Second})
	found := make(chan int)
	for _, err := range first.List(t.Context(), ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := impatient.Groups(t.Context(), GroupOptions{}); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
		go func() {
			report, _ := patient.Groups(context.Background(), GroupOptions{})
			found <- report.Messages
		}()
		break
	}
	if got := <-found; got != n {
		t.Errorf("who waited for its turn finds %d messages, want %d", got, n)
	}
}

func TestAPassHoldsABoundedNumberInMemory(t *testing.T) {
	queue := declare(t, topology.Quorum)
	n := bulk()
	body := make([]byte, 1024)
	for i := range body {
		body[i] = 'x'
	}
	fill(t, queue+"-error", n, func(i int) amqp.Publishing {
		p := parked(queue, i)
		p.Body = body
		return p
	})
	q := open(t, Config{Queue: queue})
	heap := watchHeap()
	seen, began := 0, time.Now()
	for _, err := range q.List(t.Context(), ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen%max(1000, n/10) == 0 {
			heap.look()
		}
	}
	took := time.Since(began)
	if seen != n {
		t.Errorf("%d messages, want %d", seen, n)
	}
	t.Logf("%d messages of 1 KiB in %v, %.0f a second; the heap grew by %d KiB at most", n, took, float64(n)/took.Seconds(), heap.grown>>10)
	if heap.grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB", heap.grown>>10)
	}
}

// heap measures how much the heap has grown at most.
type heap struct{ before, grown uint64 }

func watchHeap() *heap { return &heap{before: inUse()} }

func (h *heap) look() {
	now := inUse()
	h.grown = max(h.grown, now-min(h.before, now))
}

// inUse returns the heap in use after a garbage collection.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// deadLetter brings a message into a queue as a quorum queue's delivery limit does, after it was
// delivered so often.
func deadLetter(t *testing.T, to string, deliveries int) {
	t.Helper()
	from := amqptest.Queue(t, "errors")
	ch := amqptest.Channel(t)
	arguments := amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": deliveries - 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": to,
	}
	if _, err := ch.QueueDeclare(from, true, false, false, false, arguments); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", from, amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: id(0), Body: []byte("{}")})
	before := amqptest.Depth(t, to)
	amqptest.Eventually(t, 30*time.Second, func() bool {
		t.Helper()
		if d, ok, err := ch.Get(from, false); err != nil {
			t.Fatal(err)
		} else if ok {
			_ = d.Reject(true)
		}
		return amqptest.Depth(t, to) > before
	}, "the message does not pass its limit")
}

// On RabbitMQ 4.3 a dead letter keeps its count. In a queue with a lower limit one delivery more
// drops it.
func TestADeadLetterThatArrivesAboveTheLimitIsNotLostByLooking(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]any{"the broker's limit": nil, "a lower limit": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := amqptest.Queue(t, "errors")
			arguments := amqp.Table{"x-queue-type": "quorum"}
			if limit != nil {
				arguments["x-delivery-limit"] = limit
			}
			if _, err := amqptest.Channel(t).QueueDeclare(queue+"-error", true, false, false, false, arguments); err != nil {
				t.Fatal(err)
			}
			park(t, queue, 3)
			deadLetter(t, queue+"-error", 31)
			deadLetter(t, queue+"-error", 31)
			q := open(t, Config{Queue: queue})
			for i := range 4 {
				if n := len(list(t, q, ListOptions{})); n != 5 {
					t.Errorf("list %d has %d messages", i, n)
				}
				amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == 5 }, "a message is lost")
			}
			dead := 0
			for _, m := range list(t, q, ListOptions{}) {
				if m.Reason == "delivery_limit" && m.Target != "" {
					dead++
				}
			}
			if dead != 2 {
				t.Errorf("%d messages say that they are dead letters, want 2", dead)
			}
		})
	}
}

func TestADeadLetterWithAHighCountIsReadMovedAndArchived(t *testing.T) {
	t.Parallel()
	queue := declare(t, topology.Quorum)
	const n = 101
	deadLetter(t, queue+"-error", n)
	q := open(t, Config{Queue: queue})
	for range 3 {
		m := list(t, q, ListOptions{})
		if len(m) != 1 || amqptest.AtLeast(t, 4, 3) && m[0].Deliveries < n {
			t.Fatalf("got %+v", m)
		}
	}
	report, err := q.Discard(t.Context(), DiscardOptions{All: true})
	if err != nil || report.Discarded != 1 {
		t.Fatalf("%v, %+v", err, report)
	}
	archive := open(t, Config{Queue: queue, ErrorQueue: queue + "-archive"})
	if m := list(t, archive, ListOptions{}); len(m) != 1 || m[0].Deliveries > 1 {
		t.Fatalf("archived: %+v", m)
	}
	if moved := redriveOK(t, archive, RedriveOptions{All: true, To: queue}); moved.Moved != 1 {
		t.Errorf("got %+v", moved)
	}
	if d := amqptest.Get(t, queue); d.MessageId != id(0) || d.Redelivered {
		t.Errorf("got %+v", d)
	}
}
