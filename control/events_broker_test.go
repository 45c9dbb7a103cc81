package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// bound declares a queue that gets the events of these keys.
func bound(t *testing.T, exchange string, keys ...string) (queue string) {
	t.Helper()
	queue = amqptest.Queue(t, "watch")
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		var err error
		amqptest.Eventually(t, 10*time.Second, func() bool {
			ch := amqptest.Channel(t) // a refusal closes it
			err = ch.QueueBind(queue, key, exchange, false, nil)
			return err == nil
		}, "the exchange %s is not declared", exchange)
	}
	return queue
}

// exchangeOf returns an exchange of the test's own.
func exchangeOf(t *testing.T) string {
	t.Helper()
	exchange := amqptest.Queue(t, "events")
	amqptest.Cleanup(t, exchange)
	return exchange
}

// told takes the events that are in a queue by now, sorted by what they say.
func told(t *testing.T, queue string) (events []control.Event) {
	t.Helper()
	for _, d := range amqptest.Drain(t, queue) {
		var e control.Event
		if err := json.Unmarshal(d.Body, &e); err != nil {
			t.Fatalf("%s: %v", d.Body, err)
		}
		if d.RoutingKey != control.EventKey(e.Queue, e.What) || d.Type != string(e.What) || d.AppId != e.App || d.MessageId == "" {
			t.Errorf("an event has the key %q, type %q, app %q and id %q: %+v", d.RoutingKey, d.Type, d.AppId, d.MessageId, e)
		}
		events = append(events, e)
	}
	return events
}

func TestWhatConsumersDoIsPublishedAndARedriveHasItsOutcome(t *testing.T) {
	exchange, queue := exchangeOf(t), amqptest.Queue(t, "eu.orders")
	var mended atomic.Bool
	handle := func(_ context.Context, d consumer.Delivery) consumer.Result {
		switch {
		case mended.Load():
			return consumer.Ack()
		case d.Attempt == 1:
			return consumer.Retry(errors.New("the bank does not answer"))
		}
		return consumer.Error(errors.New("no such order"))
	}
	var pub publisher.Publisher
	var events *control.EventMonitor
	var conn *connection.Connection
	app := fxtest.New(t, fx.NopLogger,
		connection.Module, publisher.Module, consumer.Module, control.EventsModule,
		fx.Supply(connection.Config{URL: amqptest.URL(t), Name: "shop", Version: "1.2.3"}, control.EventsConfig{Exchange: exchange}),
		fx.Provide(quiet),
		consumer.Provide(func() consumer.Spec {
			return consumer.Spec{Queue: queue, MaxRetries: 3, Backoff: []time.Duration{100 * time.Millisecond}, Handler: handle}
		}),
		fx.Populate(&pub, &events, &conn),
	)
	app.RequireStart()
	parked, all := bound(t, exchange, "#.parked"), bound(t, exchange, control.EventKey(queue, "*"))
	for i := range 3 {
		if err := pub.Publish(t.Context(), queue, i, publisher.MessageID(fmt.Sprint("order-", i)), publisher.Type("order")); err != nil {
			t.Fatal(err)
		}
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return events.Stats().Published == 6 }, "%+v, want 6 published", events.Stats())
	got := told(t, parked)
	if len(got) != 3 {
		t.Fatalf("%d events of parked messages, want 3", len(got))
	}
	for _, e := range got {
		d := e
		d.At, d.Since, d.DurationMS, d.Host, d.MessageID, d.ErrorGroup = time.Time{}, time.Time{}, 0, "", "", ""
		want := control.Event{
			Version: 1, What: control.Parked, Queue: queue, Consumer: queue, Type: "order", Attempt: 2, MaxRetries: 3, Action: "parked",
			Reason: monitoring.ReasonError, Error: "no such order", ErrorType: "error", App: "shop", AppVersion: "1.2.3",
		}
		if d != want || e.At.IsZero() || e.Since.IsZero() || e.Host == "" || !strings.HasPrefix(e.MessageID, "order-") || e.ErrorGroup == "" {
			t.Errorf("got  %+v\nwant %+v", e, want)
		}
	}

	q, err := errorqueue.Open(t.Context(), conn, errorqueue.Config{Queue: queue}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range q.List(t.Context(), errorqueue.ListOptions{}) { // as the error queue has it
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(got, func(e control.Event) bool { return e.MessageID == m.ID }); i < 0 || got[i].ErrorGroup != m.Group || got[i].ErrorType != m.Type {
			t.Errorf("parked is %s with group %s and type %q, told is %+v", m.ID, m.Group, m.Type, got)
		}
	}
	mended.Store(true)
	report, err := q.Redrive(t.Context(), errorqueue.RedriveOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return events.Stats().Published == 9 }, "%+v, want 9 published", events.Stats())
	app.RequireStop()
	count := map[string]int{}
	for _, e := range told(t, all) {
		count[string(e.What)+" "+e.Action]++
		if e.What == control.Redriven && (e.RedriveCount != 1 || e.RedriveID != report.ID || e.Attempt != 1) {
			t.Errorf("a redriven message is told as %+v, want the redrive %s", e, report.ID)
		}
	}
	if len(count) != 3 || count["retried retried"] != 3 || count["parked parked"] != 3 || count["redriven acked"] != 3 {
		t.Errorf("told was %v, want three of each", count)
	}
	if got := told(t, parked); len(got) != 0 {
		t.Errorf("told of parked ones is also %+v", got)
	}
}

func TestEventsGoOnAfterALostConnectionAndALostExchange(t *testing.T) {
	exchange := exchangeOf(t)
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	conn := connecttest.New(t, connection.Config{URL: proxy.URL()})
	pub, err := publisher.New(conn, publisher.Config{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	m := made(t, pub, control.EventsConfig{Connection: conn, Exchange: exchange})
	m.Start()
	t.Cleanup(func() { m.Stop(context.Background()); _ = pub.Stop(context.Background()) })
	queue := bound(t, exchange, "#")
	fail := func(n int) {
		for range n {
			m.End(t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Retried})
		}
	}
	fail(100)
	amqptest.Eventually(t, 10*time.Second, func() bool { return m.Stats().Published == 100 }, "%+v", m.Stats())
	fail(50)
	if proxy.Cut() == 0 {
		t.Error("nothing was cut")
	}
	fail(50)
	amqptest.Eventually(t, 10*time.Second, func() bool { s := m.Stats(); return s.Published+s.Dropped == 200 && s.Published > 150 }, "%+v", m.Stats())
	// Those whose confirm was lost come twice, and none that was counted is missing.
	if n := uint64(amqptest.Depth(t, queue)); n < m.Stats().Published {
		t.Errorf("%d are there and %+v counted", n, m.Stats())
	}

	if err := amqptest.Channel(t).ExchangeDelete(exchange, false, false); err != nil {
		t.Fatal(err)
	}
	fail(1) // refused, and the exchange is declared again for the next
	amqptest.Eventually(t, 10*time.Second, func() bool { s := m.Stats(); return s.Published+s.Dropped == 201 }, "%+v", m.Stats())
	before := m.Stats()
	fail(1)
	amqptest.Eventually(t, 10*time.Second, func() bool { return m.Stats().Published == before.Published+1 }, "%+v, want one more than %+v", m.Stats(), before)
}

// RabbitMQ lets nobody declare an exchange whose name begins with "amq.".
func TestWhereTheExchangeMayNotBeDeclaredTheAppGoesOnAndSaysSoOnce(t *testing.T) {
	conn, log := connecttest.New(t, connection.Config{}), new(journal)
	pub, err := publisher.New(conn, publisher.Config{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	m := made(t, pub, control.EventsConfig{Connection: conn, Exchange: "amq.events", Logger: log.logger()})
	m.LookAgain(20 * time.Millisecond)
	m.Start()
	t.Cleanup(func() { m.Stop(context.Background()); _ = pub.Stop(context.Background()) })
	amqptest.Eventually(t, 10*time.Second, func() bool { return len(log.lines("not published")) == 1 }, "nothing is logged")
	for range 20 {
		m.End(t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Retried})
		time.Sleep(5 * time.Millisecond) // so that it looks a few times
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return m.Stats().Dropped == 20 }, "%+v", m.Stats())
	if lines := log.lines("WARN"); len(lines) != 1 || !strings.Contains(lines[0], "ACCESS_REFUSED") || !strings.Contains(lines[0], "NOT_FOUND") || !strings.Contains(lines[0], "do=") {
		t.Errorf("it is told as %q, want one line that says why and what to do", lines)
	}
}

func TestAnExchangeOfAnotherKindIsToldOnce(t *testing.T) {
	exchange, log := exchangeOf(t), new(journal)
	if err := amqptest.Channel(t).ExchangeDeclare(exchange, "direct", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	conn := connecttest.New(t, connection.Config{})
	pub, err := publisher.New(conn, publisher.Config{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	m := made(t, pub, control.EventsConfig{Connection: conn, Exchange: exchange, Logger: log.logger()})
	m.Start()
	t.Cleanup(func() { m.Stop(context.Background()); _ = pub.Stop(context.Background()) })
	publish := func(n uint64) {
		t.Helper()
		m.End(t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Retried})
		amqptest.Eventually(t, 10*time.Second, func() bool { return m.Stats().Published+m.Stats().Dropped >= n }, "%+v", m.Stats())
	}
	publish(1)
	if err := amqptest.Channel(t).ExchangeDelete(exchange, false, false); err != nil {
		t.Fatal(err)
	}
	publish(2) // it is dropped, and has the exchange declared anew
	publish(3)
	if lines := log.lines("not a durable topic exchange"); len(lines) != 1 || !strings.Contains(lines[0], "PRECONDITION_FAILED") || !strings.Contains(lines[0], "do=") {
		t.Errorf("it is told as %q, want one line that says why and what to do", lines)
	}
	if s := m.Stats(); s.Published != 2 || s.Dropped != 1 {
		t.Errorf("%+v, want one that was dropped", s)
	}
}

func TestEventsArePublishedOnceSomebodyElseHasDeclaredTheExchange(t *testing.T) {
	amqptest.Long(t)
	exchange, log := exchangeOf(t), new(journal)
	user := amqptest.Queue(t, "user")
	amqptest.User(t, user, "secret", "^$", "^"+exchange+"$", "^$")
	conn := connecttest.New(t, connection.Config{URL: amqptest.URL(t), Username: user, Password: "secret"})
	pub, err := publisher.New(conn, publisher.Config{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	m := made(t, pub, control.EventsConfig{Connection: conn, Exchange: exchange, Logger: log.logger()})
	m.LookAgain(50 * time.Millisecond)
	m.Start()
	t.Cleanup(func() { m.Stop(context.Background()); _ = pub.Stop(context.Background()) })
	fail := func() {
		m.End(t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Retried})
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return len(log.lines("not published")) == 1 }, "nothing is logged")
	for range 20 {
		fail()
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return m.Stats().Dropped == 20 }, "%+v", m.Stats())
	if err := amqptest.Channel(t).ExchangeDeclare(exchange, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { fail(); return m.Stats().Published > 0 }, "nothing is published to the exchange that is there now: %+v", m.Stats())
	if lines := log.lines("not published"); len(lines) != 1 || len(log.lines("published again")) != 1 {
		t.Errorf("it is told as %q", lines)
	}
}

func TestAnAlarmOfTheBrokerHoldsUpNoHandler(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	b := amqptest.StartBroker(t)
	conn := connecttest.New(t, connection.Config{URL: b.URL})
	pub, err := publisher.New(conn, publisher.Config{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	m := made(t, pub, control.EventsConfig{Connection: conn, Buffer: 10, What: control.Whats})
	m.Start()
	const n = 2000
	ch, err := amqptest.DialURL(t, b.URL).Channel()
	if err != nil {
		t.Fatal(err)
	}
	var acked atomic.Int64
	c, err := consumer.New(conn, consumer.Spec{Queue: "orders", Concurrency: 10, Handler: func(context.Context, consumer.Delivery) consumer.Result {
		acked.Add(1)
		return consumer.Ack()
	}}, m, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Pause()
	m.End(t.Context(), monitoring.Delivery{Queue: "orders"}, monitoring.Outcome{Action: monitoring.Retried})
	amqptest.Eventually(t, 10*time.Second, func() bool { return m.Stats().Published == 1 }, "%+v", m.Stats())
	for range n { // each is acked at its second attempt, and so recovered
		if err := ch.Publish("", "orders", true, false, amqp.Publishing{Headers: amqp.Table{"retry-attempts": int64(1)}}); err != nil {
			t.Fatal(err)
		}
	}
	b.MemoryAlarm(true)
	began := time.Now()
	c.Resume()
	amqptest.Eventually(t, 20*time.Second, func() bool { return acked.Load() == n }, "%d were handled", acked.Load())
	t.Logf("%d messages took %s during the alarm", n, time.Since(began))
	if took := time.Since(began); took > 4*time.Second { // a batch waits 5 s
		t.Errorf("%d messages took %s during the alarm", n, took)
	}
	if err := c.Stop(connecttest.Within(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
	began = time.Now()
	m.Stop(t.Context())
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Stop took %s during the alarm", took)
	}
	if s := m.Stats(); s.Published+s.Dropped != n+1 || s.Dropped == 0 {
		t.Errorf("%+v, want %d in all", s, n+1)
	}
	b.MemoryAlarm(false)
	if err := pub.Stop(connecttest.Within(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
}

func TestAnAppPublishesTheEventsOfItsStop(t *testing.T) {
	exchange := exchangeOf(t)
	var m *control.EventMonitor
	app := fxtest.New(t, fx.NopLogger, connection.Module, control.EventsModule, fx.Provide(quiet),
		fx.Supply(connection.Config{URL: amqptest.URL(t)}, control.EventsConfig{Exchange: exchange}),
		// A consumer settles its last delivery while it stops.
		fx.Invoke(func(lc fx.Lifecycle, g monitors.Group) {
			lc.Append(fx.StopHook(func() {
				g.Monitor().End(t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Retried})
			}))
		}), fx.Populate(&m))
	app.RequireStart()
	queue := bound(t, exchange, "orders.*")
	app.RequireStop()
	if got := told(t, queue); len(got) != 1 || got[0].What != control.Retried || m.Stats() != (control.EventStats{Published: 1}) {
		t.Errorf("told was %+v, and the numbers are %+v", got, m.Stats())
	}
}
