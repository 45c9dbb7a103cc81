package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

func redriveOK(t testing.TB, q *Queue, o RedriveOptions) RedriveReport {
	t.Helper()
	report, err := q.Redrive(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestARedrivenMessageIsAsItWasAtFirst(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		park(t, queue, 3)
		q := open(t, Config{Queue: queue})
		report := redriveOK(t, q, RedriveOptions{All: true})
		if report.Moved != 3 || report.Matched != 3 || report.Failed != 0 || report.ID == "" {
			t.Errorf("got %+v", report)
		}
		got := amqptest.Get(t, queue)
		was := parked(queue, 0)
		redrivenAt, err := time.Parse(time.RFC3339, got.Headers[wire.RedrivenAt].(string))
		if err != nil || time.Since(redrivenAt) > time.Minute {
			t.Errorf("redriven at %v, %v", redrivenAt, err)
		}
		delete(got.Headers, wire.RedrivenAt)
		delete(got.Headers, "x-delivery-count")
		want := amqp.Table{
			"tenant": "acme", "n": int32(0), wire.Queue: queue,
			wire.FirstFailedAt: was.Headers[wire.FirstFailedAt], wire.History: was.Headers[wire.History],
			wire.OriginalExchange: "shop", wire.OriginalRoutingKey: "order.placed",
			wire.RedriveCount: int64(1), wire.RedriveID: report.ID,
		}
		if !reflect.DeepEqual(got.Headers, want) {
			t.Errorf("headers\n%v, want\n%v", got.Headers, want)
		}
		if string(got.Body) != string(was.Body) || got.MessageId != was.MessageId || got.ContentType != was.ContentType || !got.Timestamp.Equal(was.Timestamp) ||
			got.DeliveryMode != amqp.Persistent || got.Expiration != "" {
			t.Errorf("got %+v", got)
		}
		if depth := amqptest.Depth(t, q.Name()); depth != 0 {
			t.Errorf("%d messages are parked still", depth)
		}
	})
}

func TestARedriveKeepsTheOrder(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n = 1200 // more than a survey keeps
		park(t, queue, n)
		q := open(t, Config{Queue: queue, Window: 50})
		report := redriveOK(t, q, RedriveOptions{All: true, Window: 30})
		if report.Moved != n || len(report.Targets) != 1 || report.Targets[0] != (Target{Queue: queue, Messages: n, Source: fromHeader}) {
			t.Errorf("got %+v", report)
		}
		inOrder(t, queue, n, nil)
	})
}

func TestAFilteredRedriveOfAFewAmongManyLeavesTheOthersInOrder(t *testing.T) {
	eachKindInTurn(t, func(t *testing.T, queue string) {
		n := bulk()
		chosen := func(i int) bool { return i%(n/12) == n/24 }
		fill(t, queue+"-error", n, func(i int) amqp.Publishing {
			p := parked(queue, i)
			if chosen(i) {
				p.Headers[wire.Reason] = "panic"
			}
			return p
		})
		q := open(t, Config{Queue: queue})
		heap := watchHeap()
		report := redriveOK(t, q, RedriveOptions{Filter: terms(t, "reason=panic"), Progress: func(Progress) { heap.look() }})
		t.Logf("12 of %d in %v, %.0f a second; the heap grew by %d KiB at most", n, report.Took, float64(n)/report.Took.Seconds(), heap.grown>>10)
		if heap.grown > 8<<20 {
			t.Errorf("the heap grew by %d KiB", heap.grown>>10)
		}
		if report.Moved != 12 || report.Rounds != 1 {
			t.Errorf("got %+v", report)
		}
		if depth := amqptest.Depth(t, q.Name()); depth != n-12 {
			t.Errorf("%d messages are parked, want %d", depth, n-12)
		}
		if n <= 20_000 { // more messages take too long
			inOrder(t, q.Name(), n, chosen)
		}
		inOrder(t, queue, n, func(i int) bool { return !chosen(i) })
	})
}

func TestALimitTakesTheOldest(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n = 100
		park(t, queue, n)
		q := open(t, Config{Queue: queue, Window: 10})
		// The list makes the messages delivered ones. A careless reader would put them behind
		// others.
		list(t, q, ListOptions{})
		if first := list(t, q, ListOptions{Limit: 3}); len(first) != 3 || first[2].ID != id(2) {
			t.Errorf("the first three are %v", first)
		}
		for _, o := range []RedriveOptions{{All: true, Limit: 7}, {All: true, Limit: 8, To: queue}} {
			if report := redriveOK(t, q, o); report.Moved != o.Limit || report.Matched != o.Limit {
				t.Errorf("got %+v", report)
			}
		}
		inOrder(t, queue, 15, nil)
		inOrder(t, q.Name(), n, func(i int) bool { return i < 15 })
	})
}

func TestADryRunMovesNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n = 50
		fill(t, queue+"-error", n, func(i int) amqp.Publishing {
			p := parked(queue, i)
			if i%5 == 0 {
				p.Headers = nil
			}
			return p
		})
		q := open(t, Config{Queue: queue})
		report := redriveOK(t, q, RedriveOptions{All: true, DryRun: true})
		want := []Target{{Queue: queue, Messages: n, Derived: 10, Source: fromOpened}}
		if !report.DryRun || report.Matched != n || report.Moved != 0 || !reflect.DeepEqual(report.Targets, want) {
			t.Errorf("got %+v", report)
		}
		if discarded, err := q.Discard(t.Context(), DiscardOptions{All: true, DryRun: true}); err != nil || discarded.Matched != n || discarded.Discarded != 0 {
			t.Errorf("got %+v, %v", discarded, err)
		}
		if amqptest.Exists(t, queue+"-archive") || amqptest.Depth(t, queue) != 0 {
			t.Error("something was done")
		}
		inOrder(t, q.Name(), n, nil)
	})
}

func TestAMissingTargetIsSaidBeforeAnythingMoves(t *testing.T) {
	queue := declare(t, topology.Quorum)
	const n = 30
	fill(t, queue+"-error", n, func(i int) amqp.Publishing {
		p := parked(queue, i)
		if i == n-1 {
			p.Headers[wire.Queue] = queue + "-gone"
		}
		return p
	})
	q := open(t, Config{Queue: queue})
	for name, o := range map[string]RedriveOptions{
		"header": {All: true}, "dry run": {All: true, DryRun: true}, "To": {All: true, To: queue + "-gone"},
	} {
		report, err := q.Redrive(t.Context(), o)
		var missing *MissingTargetError
		if !errors.As(err, &missing) || missing.Queue != queue+"-gone" || report.Moved != 0 {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
	}
	if depth := amqptest.Depth(t, queue); depth != 0 {
		t.Errorf("%d messages were moved", depth)
	}
	if report := redriveOK(t, q, RedriveOptions{Filter: Filter{Targets: []string{queue}}}); report.Moved != n-1 {
		t.Errorf("got %+v", report)
	}
	inOrder(t, queue, n-1, nil)
}

func TestWhatCannotBePublishedStaysParked(t *testing.T) {
	queue := declare(t, topology.Quorum)
	full := amqptest.Queue(t, "errors-full")
	if _, err := amqptest.Channel(t).QueueDeclare(full, true, false, false, false, amqp.Table{"x-max-length": 5, "x-overflow": "reject-publish"}); err != nil {
		t.Fatal(err)
	}
	const n = 60
	park(t, queue, n)
	q := open(t, Config{Queue: queue})
	report, err := q.Redrive(t.Context(), RedriveOptions{All: true, To: full, Window: 10})
	in := amqptest.Depth(t, full)
	if !errors.Is(err, ErrNotMoved) || report.Moved != in || in < 5 || report.Failed < 10 || len(report.Failures) == 0 || report.Failures[0].Target != full {
		t.Errorf("%d are in the full queue; %v, %+v", in, err, report)
	}
	if depth := amqptest.Depth(t, q.Name()); depth != n-in {
		t.Errorf("%d messages are parked, want %d", depth, n-in)
	}
}

func TestACancelledRedriveSaysWhatItHasMoved(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n = 500
		park(t, queue, n)
		q := open(t, Config{Queue: queue})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		report, err := q.Redrive(ctx, RedriveOptions{All: true, Rate: 200, Progress: func(p Progress) {
			if p.Moved >= 40 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || report.Moved < 40 || report.Moved >= n || report.MaybeTwice != 0 {
			t.Errorf("%v, %+v", err, report)
		}
		inOrder(t, queue, report.Moved, nil)
		if depth := amqptest.Depth(t, q.Name()); depth != n-report.Moved {
			t.Errorf("%d messages are parked, want %d", depth, n-report.Moved)
		}
	})
}

func TestTheRateIsKept(t *testing.T) {
	queue := declare(t, topology.Quorum)
	const n = 60
	park(t, queue, n)
	q := open(t, Config{Queue: queue})
	began := time.Now()
	redriveOK(t, q, RedriveOptions{All: true, Rate: 50})
	if took := time.Since(began); took < time.Second {
		t.Errorf("%d messages at 50 a second took %v", n, took)
	}
}

func TestASlowRedriveGoesInRoundsAndMovesEachOnce(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n = 300
		fill(t, queue+"-error", n, func(i int) amqp.Publishing {
			p := parked(queue, i)
			if i%3 == 0 {
				p.Headers[wire.Reason] = "panic"
			}
			return p
		})
		q := open(t, Config{Queue: queue, HoldFor: 300 * time.Millisecond, Window: 20})
		report := redriveOK(t, q, RedriveOptions{Filter: terms(t, "reason=timeout"), To: queue, Rate: 150})
		if report.Moved != 200 || report.Rounds < 3 {
			t.Errorf("got %+v", report)
		}
		inOrder(t, queue, n, func(i int) bool { return i%3 == 0 })
		inOrder(t, q.Name(), n, func(i int) bool { return i%3 != 0 })
	})
}

// failing parks the messages with these numbers again, as a consumer does when its handler fails.
// It acks all others.
func failing(t *testing.T, queue string, fails func(n int) bool) {
	t.Helper()
	ch := amqptest.Channel(t)
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for d := range deliveries {
			n, _ := strconv.Atoi(d.MessageId[1:])
			if fails(n) {
				h := parked(queue, n).Headers
				h[wire.RedriveID], h[wire.RedriveCount] = d.Headers[wire.RedriveID], d.Headers[wire.RedriveCount]
				h[wire.RedrivenAt] = d.Headers[wire.RedrivenAt]
				_ = ch.Publish("", queue+"-error", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: d.MessageId, Headers: h, Body: d.Body})
			}
			_ = d.Ack(false)
		}
	}()
	t.Cleanup(func() {
		_ = ch.Close()
		<-ended
	})
}

func TestBatchesStopWhenTooManyFailAgain(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, queue string) {
		const n = 100
		park(t, queue, n)
		// One of the second batch, 9 of the third.
		failing(t, queue, func(n int) bool { return n == 3 || n >= 11 && n < 20 })
		q := open(t, Config{Queue: queue})
		report, err := q.Redrive(t.Context(), RedriveOptions{All: true, Batches: []int{1, 10, 20}, Watch: 1200 * time.Millisecond, Tolerate: 0.1})
		want := []Batch{{Moved: 1, Watched: true}, {Moved: 10, FailedAgain: 1, Watched: true}, {Moved: 20, FailedAgain: 9, Watched: true}}
		for i, b := range report.Batches { // each has its own, in the order in which they were parked
			for j, m := range b.Again {
				if first := []int{0, 3, 11}[i]; m.ID != id(first+j) || m.RedriveID != report.ID || m.Body != nil || m.BodySize == 0 {
					t.Errorf("again in batch %d: %+v", i+1, m)
				}
			}
			if len(b.Again) != b.FailedAgain {
				t.Errorf("batch %d lists %d", i+1, len(b.Again))
			}
			report.Batches[i].Again = nil
		}
		if !errors.Is(err, ErrFailedAgain) || !reflect.DeepEqual(report.Batches, want) || report.Moved != 31 {
			t.Errorf("%v, %+v", err, report)
		}
		if depth := amqptest.Depth(t, q.Name()); depth != n-31+10 {
			t.Errorf("%d messages are parked, want %d", depth, n-31+10)
		}
	})
}

// What the first redrive has left parked counts in its batch, and in no batch of the second one.
func TestARedriveGoesOnInBatchesAfterSomeHaveFailedAgain(t *testing.T) {
	t.Parallel()
	queue := declare(t, topology.Quorum)
	const n = 30
	park(t, queue, n)
	failing(t, queue, func(n int) bool { return n == 1 || n == 2 })
	q := open(t, Config{Queue: queue})
	var batches []string
	o := RedriveOptions{All: true, ID: "fix-7", Batches: []int{1, 3, 5}, Watch: 1200 * time.Millisecond, Progress: func(p Progress) {
		if s := fmt.Sprint(p.Batch, " ", p.FailedAgain); len(batches) == 0 || batches[len(batches)-1] != s {
			batches = append(batches, s)
		}
	}}
	report, err := q.Redrive(t.Context(), o)
	if !errors.Is(err, ErrFailedAgain) || report.Moved != 4 || report.Batches[1].FailedAgain != 2 {
		t.Fatalf("%v, %+v", err, report)
	}
	if want := []string{"0 0", "1 0", "2 0", "2 2"}; !slices.Equal(batches, want) {
		t.Errorf("progress tells of batches and failures %q, want %q", batches, want)
	}
	time.Sleep(1100 * time.Millisecond) // the header has whole seconds
	if report = redriveOK(t, q, o); report.Moved != n-4 || report.Batches[0].FailedAgain != 0 {
		t.Errorf("the second: %+v", report)
	}
}

func TestBatchesGoOnToTheEndWhenFewFailAgain(t *testing.T) {
	t.Parallel()
	queue := declare(t, topology.Quorum)
	const n = 25
	park(t, queue, n)
	failing(t, queue, func(n int) bool { return n == 3 })
	q := open(t, Config{Queue: queue})
	report := redriveOK(t, q, RedriveOptions{All: true, Batches: []int{5, 10}, Watch: 1100 * time.Millisecond, Tolerate: 0.5})
	if report.Moved != n || len(report.Batches) != 3 || report.Batches[0].FailedAgain != 1 || report.Batches[1].FailedAgain != 0 {
		t.Errorf("got %+v", report)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == 1 }, "the one that fails is not parked")
	if m := list(t, q, ListOptions{})[0]; m.ID != id(3) || m.RedriveCount != 1 || m.RedriveID != report.ID {
		t.Errorf("got %+v", m)
	}
	if again := redriveOK(t, q, RedriveOptions{All: true, ID: report.ID}); again.Moved != 0 {
		t.Errorf("under the same id it is redriven again: %+v", again)
	}
}

func TestWhatTheBrokerDeadLetteredIsUnderstoodAndGoesBack(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		exchange := queue + "-exchange"
		amqptest.Cleanup(t, exchange)
		ch := amqptest.Channel(t)
		if err := ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind(queue, "order.#", exchange, false, nil); err != nil {
			t.Fatal(err)
		}
		amqptest.Publish(t, exchange, "order.placed", amqp.Publishing{MessageId: "late", Expiration: "5", Body: []byte("x"), Headers: amqp.Table{"k": "v"}})
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == 1 }, "it does not expire")
		q := open(t, Config{ErrorQueue: queue + "-error"})
		m := list(t, q, ListOptions{Filter: terms(t, "reason=expired")})
		if len(m) != 1 || m[0].Origin != OriginBroker || m[0].Target != queue || m[0].TargetFrom != fromDeath ||
			m[0].OriginalExchange != exchange || m[0].OriginalRoutingKey != "order.placed" || m[0].OriginalExpiration != "5" || time.Since(m[0].FailedAt) > time.Minute {
			t.Fatalf("got %+v", m)
		}
		report := redriveOK(t, q, RedriveOptions{All: true})
		if report.Moved != 1 || report.Targets[0].Derived != 1 {
			t.Errorf("got %+v", report)
		}
		d := amqptest.Get(t, queue)
		if _, there := d.Headers["x-death"]; there || d.Expiration != "" || d.Headers["k"] != "v" || d.Headers[wire.OriginalExchange] != exchange {
			t.Errorf("got %+v", d)
		}
	})
}

func TestNothingIsMovedWithoutAFilterOrAll(t *testing.T) {
	queue := declare(t, topology.Classic)
	park(t, queue, 1)
	q := open(t, Config{Queue: queue})
	if _, err := q.Redrive(t.Context(), RedriveOptions{}); !errors.Is(err, ErrNoFilter) {
		t.Errorf("redrive: %v", err)
	}
	if _, err := q.Discard(t.Context(), DiscardOptions{}); !errors.Is(err, ErrNoFilter) {
		t.Errorf("discard: %v", err)
	}
	inOrder(t, q.Name(), 1, nil)
}

func TestWhatClojureParkedGoesBackToWhereItCameFrom(t *testing.T) {
	queue := amqptest.Queue(t, "errors")
	topo, err := topology.New(topology.Plan{Queue: queue, Scheme: topology.Bunnicula, Delays: []time.Duration{time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	if err := topo.Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, queue+"-error", "#", amqp.Publishing{Body: []byte("{}"), Headers: amqp.Table{"retry-attempts": int32(4)}})
	q := open(t, Of(topo))
	m := list(t, q, ListOptions{})
	if len(m) != 1 || m[0].Origin != OriginClojure || m[0].Attempts != 4 || m[0].Target != queue || m[0].TargetFrom != fromOpened {
		t.Fatalf("got %+v", m)
	}
	if report := redriveOK(t, q, RedriveOptions{All: true}); report.Moved != 1 || report.Targets[0].Derived != 1 {
		t.Errorf("got %+v", report)
	}
	d := amqptest.Get(t, queue)
	if _, counted := d.Headers["retry-attempts"]; counted || d.MessageId == "" || string(d.Body) != "{}" {
		t.Errorf("got %+v", d)
	}
}

func TestBatchesFromTheArchiveAreWatchedWhereTheyFail(t *testing.T) {
	queue := declare(t, topology.Quorum)
	const n = 40
	park(t, queue, n)
	q := open(t, Config{Queue: queue})
	if _, err := q.Discard(t.Context(), DiscardOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	failing(t, queue, func(int) bool { return true })
	report, err := open(t, Named(queue+"-archive")).Redrive(t.Context(), RedriveOptions{All: true, Batches: []int{1, 5}, Watch: 1200 * time.Millisecond})
	if !errors.Is(err, ErrFailedAgain) || report.Moved != 1 {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestANameThatMayBeAMainQueuesIsRefused(t *testing.T) {
	queue := amqptest.Queue(t, "errors", "-archive", "-archive-error", "-archive-quarantine")
	for _, main := range []string{queue, queue + "-archive"} {
		topo, err := topology.New(topology.Plan{Queue: main})
		if err != nil {
			t.Fatal(err)
		}
		if err := topo.Declare(amqptest.Channel(t)); err != nil {
			t.Fatal(err)
		}
	}
	var field *FieldError
	if _, err := Open(t.Context(), connecttest.New(t, connection.Config{}), Named(queue+"-archive"), slog.New(slog.DiscardHandler)); !errors.As(err, &field) || field.Value != queue+"-archive" {
		t.Errorf("got %v", err)
	}
	open(t, Config{Queue: queue + "-archive"}) // its full name
	open(t, Config{Queue: queue, ErrorQueue: queue + "-archive"})
}

func TestARedriveKeepsHeadersThatLookLikeABrokers(t *testing.T) {
	queue := declare(t, topology.Quorum)
	headers := amqp.Table{"x-opt-tenant": "acme", "x-opt-table": amqp.Table{"k": "v"}, "x-stream-filter-value": "f"}
	fill(t, topology.ErrorQueue(queue), 1, func(i int) amqp.Publishing {
		p := parked(queue, i)
		maps.Copy(p.Headers, headers)
		return p
	})
	redriveOK(t, open(t, Config{Queue: queue}), RedriveOptions{All: true})
	d := amqptest.Get(t, queue)
	for name, value := range headers {
		if !reflect.DeepEqual(d.Headers[name], value) {
			t.Errorf("%s is %v, want %v", name, d.Headers[name], value)
		}
	}
}
