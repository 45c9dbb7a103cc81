package upgrade_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture"
	"github.com/bunnicula-go/bunnicula/topology"
)

// heir is today's consumer of what a fixture has left.
type heir struct {
	t        *testing.T
	user     string
	messages []fixture.Message // without what takes long in short mode
	conn     *connection.Connection
	consumer *consumer.Consumer
	parked   string               // the error queue
	began    time.Time            // the delays of what waits began later
	asleep   map[string]time.Time // when messages may be handled, by id

	mu      sync.Mutex
	handled map[string][]handling // by message id
}

// handling is one call of the handler.
type handling struct {
	consumer.Delivery
	at time.Time
}

func TestWhatAnEarlierVersionHasLeftIsConsumed(t *testing.T) {
	t.Parallel()
	fixtures(t, func(t *testing.T, file, scheme string) {
		t.Parallel()
		h := inherit(t, file, scheme)
		h.handlesWhatWaits()
		h.parksTheKiller()
		h.listsWhatIsParked()
		h.handlesWhatIsRedriven()
		h.leavesNothing()
	})
}

func inherit(t *testing.T, file, scheme string) *heir {
	t.Helper()
	base := amqptest.Queue(t, "upgrade")
	_, left := readFixture(t, file, base, scheme)
	uri, err := amqp.ParseURI(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	h := &heir{t: t, user: uri.Username, handled: map[string][]handling{}, conn: connecttest.New(t, connection.Config{})}
	spec := fixture.Specs(base)[scheme]
	spec.OnFatal = func(err error) { t.Errorf("the consumer cannot go on: %v", err) }
	spec.Handler = func(_ context.Context, d consumer.Delivery) consumer.Result {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.handled[d.MessageID] = append(h.handled[d.MessageID], handling{d, time.Now()})
		return consumer.Ack()
	}
	if h.consumer, err = consumer.New(h.conn, spec, nil, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for _, q := range h.consumer.Topology().Queues {
		if q.Role == topology.RoleError {
			h.parked = q.Name
		}
	}
	h.messages = slices.DeleteFunc(slices.Clone(left.Messages), func(m fixture.Message) bool { return h.kills(m) && testing.Short() })
	h.began, h.asleep = put(t, left, h.messages, h.user)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := h.consumer.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *heir) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.consumer.Stop(ctx); err != nil {
		h.t.Errorf("stop: %v", err)
	}
}

// kills says whether a message was returned so often from quarantine that it is parked as crashed.
// That takes the 20 s of its hearing, even though this is a new process.
func (h *heir) kills(m fixture.Message) bool { return m.Stood.MessageID == "killer" }

// handlesWhatWaits waits until all that was not parked was handled, with the attempt and the view
// that it should have.
func (h *heir) handlesWhatWaits() {
	h.t.Helper()
	waiting := h.which(func(m fixture.Message) bool { return m.Queue != h.parked && !h.kills(m) })
	h.await(waiting)
	for _, m := range waiting {
		got := h.first(m)
		h.compare(m, got, m.Attempt)
		if at := h.asleep[m.Stood.MessageID]; got.at.Before(at.Add(-100 * time.Millisecond)) {
			h.t.Errorf("%s was handled at %s, and not before %s", m.Stood.MessageID, got.at.UTC(), at)
		}
		if waited := got.at.Sub(h.began); waited < h.delay(m) {
			h.t.Errorf("%s waited %s, want %s", m.Stood.MessageID, waited, h.delay(m))
		}
	}
}

// delay is how long a message waits in the queue where it stands.
func (h *heir) delay(m fixture.Message) time.Duration {
	for _, q := range h.consumer.Topology().Queues {
		if q.Name == m.Queue {
			return q.Delay
		}
	}
	h.t.Errorf("%s stands in %s, which is no queue of the consumer's", m.Stood.MessageID, m.Queue)
	return 0
}

// parksTheKiller waits until the message is parked that its processes have died of.
func (h *heir) parksTheKiller() {
	h.t.Helper()
	for range h.which(h.kills) {
		parked := len(h.which(func(m fixture.Message) bool { return m.Queue == h.parked }))
		amqptest.Eventually(h.t, time.Minute, func() bool { return amqptest.Depth(h.t, h.parked) == parked+1 }, "the killer is not parked")
	}
}

// listsWhatIsParked compares what the error queue's tools say of each parked message with its
// headers.
func (h *heir) listsWhatIsParked() {
	h.t.Helper()
	listed := map[string]errorqueue.Message{}
	for msg, err := range h.errorQueue().List(h.t.Context(), errorqueue.ListOptions{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if _, twice := listed[msg.ID]; twice {
			h.t.Errorf("%s is parked twice", msg.ID)
		}
		listed[msg.ID] = msg
	}
	for _, m := range h.which(h.kills) {
		if got := listed[m.Stood.MessageID]; got.Reason != "crashed" || got.Attempts != m.Attempt {
			h.t.Errorf("the killer is parked as %q after %d attempts", got.Reason, got.Attempts)
		}
		delete(listed, m.Stood.MessageID)
	}
	for _, m := range h.which(func(m fixture.Message) bool { return m.Queue == h.parked }) {
		h.compareListed(m, listed[m.Stood.MessageID])
		delete(listed, m.Stood.MessageID)
	}
	if len(listed) > 0 {
		h.t.Errorf("parked are also %v", listed)
	}
}

func (h *heir) compareListed(m fixture.Message, got errorqueue.Message) {
	h.t.Helper()
	header := func(name string) string { text, _ := m.Stood.Headers[name].(string); return text }
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"origin", got.Origin, errorqueue.OriginConsumer},
		{"reason", got.Reason, header(reason)},
		{"error", got.Error, header(errorText)},
		{"error type", got.Type, header(errorType)},
		{"stack", got.Stack, header(stack)},
		{"group", got.Group, header(errorGroup)},
		{"consumer", got.Consumer, header(failedConsumer)},
		{"host", got.Host, header(failedHost)},
		{"app", got.App, header(failedApp)},
		{"app's version", got.AppVersion, header(failedVersion)},
		{"target", got.Target, header(failedQueue)},
		{"target's source", got.TargetFrom, "header"},
		{"attempts", got.Attempts, m.Attempt},
		{"entries of the history", len(got.History), m.Attempt},
		{"first failure", got.FirstFailedAt.Format(time.RFC3339), header(firstFailedAt)},
		{"failure", got.FailedAt.Format(time.RFC3339), header(failedAt)},
		{"exchange", got.OriginalExchange, m.Exchange},
		{"routing key", got.OriginalRoutingKey, m.RoutingKey},
		{"expiration", got.OriginalExpiration, m.Published.Expiration},
		{"headers", asText(h.t, fixture.Table(got.Headers)), asText(h.t, seen(m, h.user).Headers)},
		{"body", string(got.Body), string(m.Published.Body)},
	} {
		if c.got != c.want {
			h.t.Errorf("%s: the %s is %v, want %v", m.Stood.MessageID, c.what, c.got, c.want)
		}
	}
}

// handlesWhatIsRedriven redrives all that is parked, and waits until it was handled, as for the
// first time.
func (h *heir) handlesWhatIsRedriven() {
	h.t.Helper()
	parked := h.which(func(m fixture.Message) bool { return m.Queue == h.parked || h.kills(m) })
	report, err := h.errorQueue().Redrive(h.t.Context(), errorqueue.RedriveOptions{All: true})
	if err != nil || report.Moved != len(parked) || report.Failed > 0 {
		h.t.Fatalf("%d were redriven, %d failed, want %d: %v", report.Moved, report.Failed, len(parked), err)
	}
	h.await(parked)
	for _, m := range parked {
		h.compare(m, h.first(m), 1)
	}
}

func (h *heir) errorQueue() *errorqueue.Queue {
	h.t.Helper()
	q, err := errorqueue.Open(h.t.Context(), h.conn, errorqueue.Of(h.consumer.Topology()), slog.New(slog.DiscardHandler))
	if err != nil {
		h.t.Fatal(err)
	}
	return q
}

// leavesNothing asserts that all queues are empty, and that each message was handled once.
func (h *heir) leavesNothing() {
	h.t.Helper()
	h.stop()
	for _, q := range h.consumer.Topology().Queues {
		if n := amqptest.Depth(h.t, q.Name); n > 0 {
			h.t.Errorf("%d messages are left in %s", n, q.Name)
		}
	}
	for id, calls := range h.handled {
		if len(calls) != 1 {
			h.t.Errorf("%s was handled %d times", id, len(calls))
		}
	}
	if len(h.handled) != len(h.messages) {
		h.t.Errorf("%d messages were handled, want %d", len(h.handled), len(h.messages))
	}
}

func (h *heir) which(want func(fixture.Message) bool) []fixture.Message {
	return slices.DeleteFunc(slices.Clone(h.messages), func(m fixture.Message) bool { return !want(m) })
}

// await waits until each of the messages was handled.
func (h *heir) await(messages []fixture.Message) {
	h.t.Helper()
	amqptest.Eventually(h.t, 30*time.Second, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return !slices.ContainsFunc(messages, func(m fixture.Message) bool { return len(h.handled[m.Stood.MessageID]) == 0 })
	}, "not every message was handled")
}

func (h *heir) first(m fixture.Message) handling {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.handled[m.Stood.MessageID][0]
}

// compare compares what the handler saw with what was published at first.
func (h *heir) compare(m fixture.Message, got handling, attempt int) {
	h.t.Helper()
	id := m.Stood.MessageID
	if got.Attempt != attempt || got.MaxRetries != 3 {
		h.t.Errorf("%s was handled with attempt %d of %d retries, want %d of 3", id, got.Attempt, got.MaxRetries, attempt)
	}
	if got.Exchange != m.Exchange || got.RoutingKey != m.RoutingKey {
		h.t.Errorf("%s came from exchange %q with key %q, want %q and %q", id, got.Exchange, got.RoutingKey, m.Exchange, m.RoutingKey)
	}
	saw := fixture.Content{
		ContentType: got.ContentType, ContentEncoding: got.ContentEncoding, DeliveryMode: m.Published.DeliveryMode,
		Priority: got.Priority, CorrelationID: got.CorrelationID, ReplyTo: got.ReplyTo, Expiration: got.Expiration,
		MessageID: got.MessageID, Timestamp: got.Timestamp.UTC(), Type: got.Type, UserID: got.UserID, AppID: got.AppID,
		Headers: fixture.Table(got.Headers), Body: got.Body,
	}
	if got, want := asText(h.t, saw), asText(h.t, seen(m, h.user)); got != want {
		h.t.Errorf("%s is seen as\n%s\nwant\n%s", id, got, want)
	}
}
