package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// parked returns message i in the form in which a consumer parks it: of four groups and three
// versions, one a second.
func parked(queue string, i int) amqp.Publishing {
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second)
	return amqp.Publishing{
		DeliveryMode: amqp.Persistent, MessageId: fmt.Sprintf("m%06d", i), ContentType: "application/json", Body: fmt.Appendf(nil, `{"n": %d}`, i),
		Headers: amqp.Table{
			wire.Reason: "timeout", wire.Error: fmt.Sprintf("order %d: refused", i), wire.ErrorType: "*net.OpError", wire.ErrorGroup: fmt.Sprintf("g%d", i%4),
			wire.Queue: queue, wire.Consumer: "orders", wire.App: "shop", wire.AppVersion: fmt.Sprintf("1.%d", i%3), wire.Host: "h",
			wire.FailedAt: at.Format(time.RFC3339), wire.FirstFailedAt: at.Add(-time.Minute).Format(time.RFC3339), "tenant": int32(i),
		},
	}
}

// park declares the queues of a consumer and fills its error queue. It returns the error queue.
func park(t *testing.T, n int) string {
	t.Helper()
	queue := amqptest.Queue(t, "snapshot")
	topo, err := topology.New(topology.Plan{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	ch := amqptest.Channel(t)
	if err := topo.Declare(ch); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	parking := topology.ErrorQueue(queue)
	for i := range n {
		confirm, err := ch.PublishWithDeferredConfirm("", parking, true, false, parked(queue, i))
		if err != nil {
			t.Fatal(err)
		}
		if i%2000 < 1999 && i < n-1 {
			continue
		}
		if ok, err := confirm.WaitContext(t.Context()); err != nil || !ok {
			t.Fatalf("message %d is not confirmed: %v", i, err)
		}
	}
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, parking) == n }, "%s has not %d messages", parking, n)
	return parking
}

// counted counts the readings of an error queue.
type counted struct {
	snapshot.Queue
	lists *atomic.Int64
}

func (c counted) List(ctx context.Context, o errorqueue.ListOptions) iter.Seq2[errorqueue.Message, error] {
	c.lists.Add(1)
	return c.Queue.List(ctx, o)
}

func many() int {
	if testing.Short() {
		return 3000
	}
	return 20_000
}

func TestTwentyViewersOfABrokersQueueShareOnePass(t *testing.T) {
	n := many()
	queue := park(t, n)
	conn := connecttest.New(t, connection.Config{})
	log := slog.New(slog.DiscardHandler)
	var lists atomic.Int64
	store := snapshot.NewStore(snapshot.Config{
		SpoolDir: t.TempDir(), Log: log, AutoDepth: n,
		Open: func(ctx context.Context, name string) (snapshot.Queue, error) {
			q, err := snapshot.Broker(conn, log)(ctx, name)
			return counted{q, &lists}, err
		},
	})
	defer store.Close(connecttest.Soon(t))

	began := time.Now()
	var viewers sync.WaitGroup
	for i := range 20 {
		viewers.Go(func() { view(t, store, queue, i, n, began) })
	}
	viewers.Wait()
	if lists.Load() != 1 {
		t.Errorf("%d passes, want 1", lists.Load())
	}

	r, err := store.Open(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	first := r.Snapshot()
	t.Logf("the pass took %s", first.Took())
	sameAsErrorqueue(t, conn, queue, first)
	if depth := amqptest.Depth(t, queue); depth != n {
		t.Errorf("%d messages are there, want %d", depth, n)
	}
}

// view is a viewer, who leaves when the pass is over.
func view(t *testing.T, store *snapshot.Store, queue string, i, n int, began time.Time) {
	r, err := store.Open(t.Context(), queue)
	if err != nil {
		t.Error(err)
		return
	}
	changes, stop := r.Watch()
	defer stop()
	seen := false
	for deadline := time.After(time.Minute); ; {
		if s := r.Snapshot(); s != nil {
			if !seen && len(s.Groups().Groups) > 0 && !s.Done() {
				seen = true
				if i == 0 {
					t.Logf("the first groups are there after %s", time.Since(began))
				}
			}
			if s.Done() {
				if read, rows := s.Read(); read != n || rows != n || s.Err() != nil {
					t.Errorf("viewer %d sees %d, %d rows, %v", i, read, rows, s.Err())
				}
				if !seen && !testing.Short() {
					t.Errorf("viewer %d has seen no group before the pass was over", i)
				}
				return
			}
		}
		select {
		case <-changes:
		case <-deadline:
			t.Errorf("viewer %d waits for %+v", i, r.Progress())
			return
		}
	}
}

// sameAsErrorqueue compares a snapshot with what errorqueue says of the queue.
func sameAsErrorqueue(t *testing.T, conn *connection.Connection, queue string, s *snapshot.Snapshot) {
	t.Helper()
	q, err := errorqueue.Open(t.Context(), conn, errorqueue.Named(queue), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(connecttest.Soon(t))
	began := time.Now()
	want, err := q.Groups(t.Context(), errorqueue.GroupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("errorqueue's groups took %s", time.Since(began))
	got := s.Groups()
	if got.Messages != want.Messages || len(got.Groups) != len(want.Groups) {
		t.Fatalf("%d messages in %d groups, want %d in %d", got.Messages, len(got.Groups), want.Messages, len(want.Groups))
	}
	for i, w := range want.Groups {
		g := got.Groups[i]
		if g.Key != w.Key || g.Count != w.Count || !g.First.Equal(w.First) || !g.Last.Equal(w.Last) || g.Error != w.Sample.Error {
			t.Errorf("group %d is %+v, want %+v", i, g, w)
		}
		// One pass was made before this one. The head is also delivered to find the delivery limit.
		if w.Sample.Position > 1 && w.Sample.Deliveries > 1 {
			t.Errorf("a message was delivered %d times before", w.Sample.Deliveries)
		}
	}

	f := errorqueue.Filter{Versions: []string{"1.1"}, ErrorContains: "order 1"}
	rows, total, err := s.Find(f, snapshot.Page{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	chosen := 0
	for m, err := range q.List(t.Context(), errorqueue.ListOptions{Filter: f}) {
		if err != nil {
			t.Fatal(err)
		}
		if chosen++; len(ids) < 5 {
			ids = append(ids, m.ID)
			sameMessage(t, s, rows[len(ids)-1].Mark, m)
		}
	}
	if total != chosen || !slices.EqualFunc(rows, ids, func(r snapshot.Row, id string) bool { return r.ID == id }) {
		t.Errorf("%d rows, want %d: %v", total, chosen, rows)
	}
}

func sameMessage(t *testing.T, s *snapshot.Snapshot, mark string, m errorqueue.Message) {
	t.Helper()
	got, err := s.Message(mark)
	if err != nil {
		t.Fatal(err)
	}
	got.Deliveries = m.Deliveries // one more now
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", m) {
		t.Errorf("the spool has\n%+v, want\n%+v", got, m)
	}
}

func TestAPassThatIsClosedGivesEverythingBack(t *testing.T) {
	const n = 3000
	queue := park(t, n)
	log := slog.New(slog.DiscardHandler)
	store := snapshot.NewStore(snapshot.Config{Open: snapshot.Broker(connecttest.New(t, connection.Config{}), log), Log: log})
	r, err := store.Open(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 20*time.Second, func() bool { return r.Progress().Read > 0 }, "nothing is read")
	store.Close(connecttest.Soon(t))
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, queue) == n }, "%s has not %d messages", queue, n)
}

func TestAQueueThatDoesNotExistIsErrNoQueue(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	store := snapshot.NewStore(snapshot.Config{Open: snapshot.Broker(connecttest.New(t, connection.Config{}), log), Log: log})
	defer store.Close(connecttest.Soon(t))
	if _, err := store.Open(t.Context(), amqptest.Queue(t, "snapshot")+"-error"); !errors.Is(err, errorqueue.ErrNoQueue) {
		t.Errorf("got %v", err)
	}
}

func TestARedriveRefreshesTheSnapshot(t *testing.T) {
	const n = 60
	parking := park(t, n)
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Stop(context.Background()) }()
	store := snapshot.NewStore(snapshot.Config{Open: snapshot.Broker(conn, nil), Busy: func(string) bool { return true }})
	defer store.Close(context.Background())
	r, err := store.Open(t.Context(), parking)
	if err != nil {
		t.Fatal(err)
	}
	r.Begin()
	amqptest.Eventually(t, 20*time.Second, func() bool { return r.Snapshot() != nil && r.Snapshot().Done() }, "it is not read")
	plan := r.Snapshot()
	chosen := errorqueue.Filter{Groups: []string{"g1"}}
	marks, complete, err := plan.Marks(chosen)
	if err != nil || !complete || len(marks) != n/4 || !r.Keep(plan.Version(), time.Now().Add(time.Minute)) {
		t.Fatalf("%d marks, complete %v, %v", len(marks), complete, err)
	}
	q, err := errorqueue.Open(t.Context(), conn, errorqueue.Named(parking), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(context.Background())
	o := r.Observer()
	report, err := q.Redrive(t.Context(), errorqueue.RedriveOptions{
		Filter: errorqueue.Filter{Groups: []string{"g1"}, Marks: marks}, Within: n, Now: plan.Began(), // with a Limit it would end early
		Observe: o.See, Observed: o.Whole, Settled: r.Settled,
	})
	o.End()
	if err != nil || report.Moved != n/4 {
		t.Fatalf("moved %d, %v", report.Moved, err)
	}
	newest := r.Snapshot()
	for name, s := range map[string]*snapshot.Snapshot{"the plan's": plan, "the newest": newest} {
		left, err := s.Left(chosen)
		all, errAll := s.Left(errorqueue.Filter{})
		read, _ := s.Read()
		group, errGroup := s.Group("g1")
		if err = errors.Join(err, errAll, errGroup); err != nil || left != 0 || all != n-n/4 || read != n || group.Gone != n/4 || s.Gone() != n/4 {
			t.Errorf("%s: %d left of the chosen, %d of all, %d read, %+v, %v", name, left, all, read, group, err)
		}
	}
	if newest == plan || r.Version(plan.Version()) != plan {
		t.Error("the redrive has not refreshed the snapshot, or the plan's is gone")
	}
}
