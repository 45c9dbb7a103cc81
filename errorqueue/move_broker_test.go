package errorqueue

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// declared returns the topology of a plan, whose queues it declares.
func declared(t testing.TB, p topology.Plan) topology.Topology {
	t.Helper()
	made := topo(t, p)
	if err := made.Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
	return made
}

func move(t testing.TB, o MoveOptions) (MoveReport, error) {
	t.Helper()
	return Move(t.Context(), connecttest.New(t, connection.Config{}), o, slog.New(slog.DiscardHandler))
}

// waits returns a message in the form in which a consumer of the queue retries it.
func waits(queue string, n int) amqp.Publishing {
	return amqp.Publishing{
		DeliveryMode: amqp.Persistent, MessageId: id(n), ContentType: "application/json", Timestamp: time.Unix(1_800_000_000, 0),
		CorrelationId: "c", ReplyTo: "r", Type: "t", AppId: "a", Priority: 3, Body: []byte(`{"n": 1}`),
		Headers: amqp.Table{
			"tenant": "acme", "n": int32(n), wire.Queue: queue, wire.RetryAttempts: int64(2), wire.Reason: "timeout", wire.Error: "too late",
			wire.History:          `[{"at":"2026-11-01T10:00:00Z","attempt":2,"reason":"timeout","error":"late","host":"h","ms":1500}]`,
			wire.OriginalExchange: "shop", wire.OriginalRoutingKey: "order.placed", wire.FirstFailedAt: "2026-11-01T09:00:00Z",
		},
	}
}

// same fails unless all that a message bears beside our headers is as it was, and these headers are.
func same(t *testing.T, got amqp.Delivery, was amqp.Publishing, changed amqp.Table) {
	t.Helper()
	if got.MessageId != was.MessageId || got.ContentType != was.ContentType || !got.Timestamp.Equal(was.Timestamp) || got.CorrelationId != was.CorrelationId ||
		got.ReplyTo != was.ReplyTo || got.Type != was.Type || got.AppId != was.AppId || got.Priority != was.Priority || string(got.Body) != string(was.Body) {
		t.Errorf("got %+v, want what was published: %+v", got, was)
	}
	for k, v := range was.Headers {
		if _, other := changed[k]; !other && got.Headers[k] != v {
			t.Errorf("header %s is %v, want %v", k, got.Headers[k], v)
		}
	}
	for k, v := range changed {
		if got.Headers[k] != v {
			t.Errorf("header %s is %v, want %v", k, got.Headers[k], v)
		}
	}
}

func TestAMoveKeepsWhatIsKnownOfAMessageInEachQueue(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			old, now := amqptest.Queue(t, "old"), amqptest.Queue(t, "new", "-retry-2h")
			from := declared(t, topology.Plan{Queue: old, Type: kind, Delays: []time.Duration{time.Hour}})
			to := declared(t, topology.Plan{Queue: now, Delays: []time.Duration{10 * time.Second, 2 * time.Hour}})
			fresh := amqp.Publishing{MessageId: id(0), Body: []byte("x"), Headers: amqp.Table{"tenant": "acme"}}
			amqptest.Publish(t, "", old, fresh)
			retried, late := waits(old, 1), waits(old, 2)
			amqptest.Publish(t, "", old, retried)
			later := time.Now().Add(3 * time.Hour).UTC().Truncate(time.Millisecond)
			late.Headers[wire.NotBefore] = later.Format("2006-01-02T15:04:05.000Z07:00")
			amqptest.Publish(t, "", old+"-retry-1h", late)
			foreign := waits("another", 3)
			amqptest.Publish(t, "", old+"-retry-1h", foreign)
			dead := parked(old, 4)
			amqptest.Publish(t, "", old+"-error", dead)
			dead.Headers[wire.Queue] = "another"
			amqptest.Publish(t, "", old+"-error", dead)

			dry, err := move(t, MoveOptions{From: from, To: to, DryRun: true})
			if err != nil || dry.Waiting != 6 || dry.Moved != 0 || dry.Left != 6 {
				t.Errorf("dry run: %+v, %v", dry, err)
			}
			report, err := move(t, MoveOptions{From: from, To: to})
			if err != nil || report.Waiting != 6 || report.Moved != 6 || report.Left != 0 || report.Failed+report.MaybeTwice+report.Illegible != 0 {
				t.Errorf("move: %+v, %v", report, err)
			}

			first := amqptest.Get(t, now)
			same(t, first, fresh, amqp.Table{wire.Queue: now, wire.OriginalExchange: "", wire.OriginalRoutingKey: old, wire.RetryAttempts: nil})
			same(t, amqptest.Get(t, now), retried, amqp.Table{wire.Queue: now})
			same(t, amqptest.Get(t, now+"-retry-2h"), late, amqp.Table{wire.Queue: now})
			// Nobody believes the headers of a message that names another queue. It waits an hour more.
			got := amqptest.Get(t, now+"-retry-10s")
			same(t, got, amqp.Publishing{
				MessageId: foreign.MessageId, ContentType: foreign.ContentType, Timestamp: foreign.Timestamp, CorrelationId: "c", ReplyTo: "r", Type: "t", AppId: "a",
				Priority: 3, Body: foreign.Body, Headers: amqp.Table{"tenant": "acme"},
			}, amqp.Table{wire.Queue: now, wire.RetryAttempts: nil, wire.OriginalExchange: "", wire.OriginalRoutingKey: old})
			if left := time.Until(moment(got.Headers, wire.NotBefore)); left < 59*time.Minute || left > time.Hour {
				t.Errorf("it waits %s more, want an hour", left)
			}
			dead.Headers[wire.Queue] = old
			same(t, amqptest.Get(t, now+"-error"), dead, amqp.Table{wire.Queue: now})
			same(t, amqptest.Get(t, now+"-error"), dead, amqp.Table{wire.Queue: "another"})
			for _, q := range append(from.Names(), to.Names()...) {
				if depth := amqptest.Depth(t, q); depth != 0 {
					t.Errorf("%d messages are in %s", depth, q)
				}
			}
		})
	}
}

// A message in quarantine has been counted by the broker, whose count does not go with a copy.
func TestAMovedMessageOfQuarantineKeepsItsCrashes(t *testing.T) {
	old, now := amqptest.Queue(t, "old"), amqptest.Queue(t, "new")
	from, to := declared(t, topology.Plan{Queue: old}), declared(t, topology.Plan{Queue: now})
	m := waits(old, 1)
	m.Headers[wire.Crashes], m.Headers[wire.CrashedAt] = int64(2), "2026-11-01T10:00:00.000Z"
	amqptest.Publish(t, "", old+"-quarantine", m)
	for range 3 { // its process dies three times
		ch, err := amqptest.Dial(t).Channel()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := ch.Get(old+"-quarantine", false); !ok || err != nil {
			t.Fatalf("nothing to get: %v", err)
		}
		if err := ch.Close(); err != nil {
			t.Fatal(err)
		}
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, old+"-quarantine") == 1 }, "it does not come back")
	}
	for range 3 { // to look counts for nothing
		if r, err := move(t, MoveOptions{From: from, To: to, DryRun: true}); err != nil || r.Waiting != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if r, err := move(t, MoveOptions{From: from, To: to}); err != nil || r.Moved != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	same(t, amqptest.Get(t, now+"-quarantine"), m, amqp.Table{wire.Queue: now, wire.Crashes: int64(5)})
}

func TestAMoveOutOfClojuresSchemeKeepsAttemptsAndDelay(t *testing.T) {
	old, now := amqptest.Queue(t, "old"), amqptest.Queue(t, "new")
	from := declared(t, topology.Plan{Queue: old, Scheme: topology.Bunnicula})
	to := declared(t, topology.Plan{Queue: now, Delays: []time.Duration{10 * time.Second, time.Minute}})
	clojure := amqp.Publishing{Body: []byte("{}"), Headers: amqp.Table{wire.RetryAttempts: int32(2)}}
	amqptest.Publish(t, "", old, clojure)
	amqptest.Publish(t, old+"-error", "#", clojure)
	clojure.Expiration = "60000"
	amqptest.Publish(t, old+"-retry", "#", clojure)
	if r, err := move(t, MoveOptions{From: from, To: to}); err != nil || r.Moved != 3 || r.Left != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for queue, want := range map[string]amqp.Table{
		now:               {wire.RetryAttempts: int64(2), wire.Queue: now},
		now + "-retry-1m": {wire.RetryAttempts: int64(2), wire.Queue: now, wire.NotBefore: nil, wire.OriginalExpiration: nil},
		now + "-error":    {wire.RetryAttempts: int32(2), wire.Queue: nil},
	} {
		d := amqptest.Get(t, queue)
		same(t, d, amqp.Publishing{Body: []byte("{}")}, want)
		if d.Expiration != "" {
			t.Errorf("%s: it expires in %s ms", queue, d.Expiration)
		}
	}
}

// Several consumers may park in one queue.
func TestAMoveTakesItsOwnMessagesOutOfASharedErrorQueue(t *testing.T) {
	old, now, all := amqptest.Queue(t, "old"), amqptest.Queue(t, "new"), amqptest.Queue(t, "failures")
	from := declared(t, topology.Plan{Queue: old, ErrorQueue: all})
	to := declared(t, topology.Plan{Queue: now, ErrorQueue: all})
	for i, queue := range []string{"another", old, "another", old} {
		amqptest.Publish(t, "", all, parked(queue, i))
	}
	amqptest.Publish(t, "", all, amqp.Publishing{MessageId: "of nobody"})
	r, err := move(t, MoveOptions{From: from, To: to})
	if err != nil || r.Moved != 2 || r.Left != 0 || !r.Queues[0].Shared {
		t.Errorf("%+v, %v", r, err)
	}
	names := map[string]int{}
	for _, d := range amqptest.Drain(t, all) {
		names[text(d.Headers, wire.Queue)]++
	}
	if len(names) != 3 || names["another"] != 2 || names[now] != 2 || names[""] != 1 {
		t.Errorf("the queues that parked messages name are %v", names)
	}
}

func TestWhatCannotBeMovedStaysAndIsNamed(t *testing.T) {
	old, now := amqptest.Queue(t, "old"), amqptest.Queue(t, "new")
	from := declared(t, topology.Plan{Queue: old, Delays: []time.Duration{time.Hour}})
	to := declared(t, topology.Plan{Queue: now, Type: topology.Classic, Arguments: map[string]any{"x-max-length": int64(3)}})
	for i := range 5 {
		amqptest.Publish(t, "", old, waits(old, i))
	}
	amqptest.Publish(t, "", old+"-quarantine", waits(old, 10))
	amqptest.Publish(t, "", old+"-retry-1h", waits(old, 11))
	r, err := move(t, MoveOptions{From: from, To: to, Wait: 2 * time.Second})
	if !errors.Is(err, ErrNotMoved) && r.Failed == 0 {
		t.Errorf("the new queue is full: %+v, %v", r, err)
	}
	if left := amqptest.Depth(t, old); left != 2 || r.Moved != 3 || r.Left != 4 {
		t.Errorf("%d are left: %+v", left, r)
	}
	for _, q := range r.Queues {
		if stays := q.Role == topology.RoleQuarantine || q.Role == topology.RoleRetry; (q.Problem != "") != stays || stays && q.Left != 1 {
			t.Errorf("%+v", q)
		}
	}
	// Two wait in the old queue and three in the new one, none in both.
	seen := map[string]int{}
	for _, d := range append(amqptest.Drain(t, old), amqptest.Drain(t, now)...) {
		seen[d.MessageId]++
	}
	if len(seen) != 5 {
		t.Errorf("there are %v", seen)
	}
}

func TestAMoveNeedsBothConsumersQueues(t *testing.T) {
	old, now := amqptest.Queue(t, "old"), amqptest.Queue(t, "new")
	from, to := topo(t, topology.Plan{Queue: old}), topo(t, topology.Plan{Queue: now})
	if _, err := move(t, MoveOptions{From: from, To: to}); !errors.Is(err, ErrNoQueue) {
		t.Errorf("without the old queues: %v", err)
	}
	declared(t, topology.Plan{Queue: old})
	amqptest.Publish(t, "", old, waits(old, 1))
	var missing *MissingTargetError
	if _, err := move(t, MoveOptions{From: from, To: to}); !errors.As(err, &missing) || missing.Queue != now || missing.Messages != 1 {
		t.Errorf("without the new queues: %v", err)
	}
	if depth := amqptest.Depth(t, old); depth != 1 {
		t.Errorf("%d messages, want 1", depth)
	}
	for name, o := range map[string]MoveOptions{
		"From":   {To: to},
		"To":     {From: from},
		"Wait":   {From: from, To: to, Wait: -1},
		"Limit":  {From: from, To: to, Limit: -1},
		"Window": {From: from, To: to, Window: 1001},
	} {
		var field *FieldError
		if _, err := move(t, o); !errors.As(err, &field) || field.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := move(t, MoveOptions{From: from, To: from}); err == nil || !strings.Contains(err.Error(), old) {
		t.Errorf("to itself: %v", err)
	}
}

// What a consumer holds is not to be seen. It comes back when the consumer stops.
func TestAMoveThatWaitsTakesWhatComesBack(t *testing.T) {
	old, now := amqptest.Queue(t, "old"), amqptest.Queue(t, "new")
	from, to := declared(t, topology.Plan{Queue: old, Delays: []time.Duration{2 * time.Second}}), declared(t, topology.Plan{Queue: now})
	for i := range 3 {
		amqptest.Publish(t, "", old, waits(old, i))
	}
	amqptest.Publish(t, "", old+"-retry-2s", waits(old, 3)) // the new consumer has no retry queue
	ch, err := amqptest.Dial(t).Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Consume(old, "", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, old) == 0 }, "they are not consumed")
	r, err := move(t, MoveOptions{From: from, To: to})
	if err != nil || r.Moved != 0 || r.Consumers != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	closed := make(chan error, 1)
	go func() {
		time.Sleep(300 * time.Millisecond) // the move looks meanwhile
		closed <- ch.Close()
	}()
	r, err = move(t, MoveOptions{From: from, To: to, Wait: 20 * time.Second})
	if err := <-closed; err != nil {
		t.Error(err)
	}
	// What is held is in no count, so the retry alone keeps the move waiting.
	if err != nil || r.Moved != 4 || r.Left != 0 || r.Took > 15*time.Second {
		t.Errorf("%+v, %v", r, err)
	}
	if depth := amqptest.Depth(t, now); depth != 4 {
		t.Errorf("%d messages are in the new queue, want 4", depth)
	}
}

// Before RabbitMQ 4.3 what is given back counts as returned. A consumer would suspect the message, and
// at the delivery limit the broker would park it.
func TestAMessageThatCannotBeMovedIsNotCountedToDeath(t *testing.T) {
	old, now := amqptest.Queue(t, "old"), amqptest.Queue(t, "new")
	from := declared(t, topology.Plan{Queue: old, Arguments: map[string]any{"x-delivery-limit": int64(3)}})
	to := declared(t, topology.Plan{Queue: now, Type: topology.Classic, Arguments: map[string]any{"x-max-length": int64(1)}})
	amqptest.Publish(t, "", now, amqp.Publishing{}) // it is full
	const n = 5
	for i := range n {
		amqptest.Publish(t, "", old, waits(old, i))
	}
	for range 8 {
		if r, err := move(t, MoveOptions{From: from, To: to}); !errors.Is(err, ErrNotMoved) || r.Moved != 0 || r.Failed != n {
			t.Fatalf("%+v, %v", r, err)
		}
		amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, old) == n }, "not all are back")
	}
	if depth := amqptest.Depth(t, old+"-error"); depth != 0 {
		t.Errorf("the broker has parked %d", depth)
	}
	seen := map[string]bool{}
	for _, d := range amqptest.Drain(t, old) {
		seen[d.MessageId] = true
		same(t, d, waits(old, int(d.Headers["n"].(int32))), nil)
		if count := wire.Int(d.Headers[wire.DeliveryCount]); count > 0 {
			t.Errorf("it counts as returned %d times", count)
		}
	}
	if len(seen) != n {
		t.Errorf("%d messages are left, want %d", len(seen), n)
	}
}
