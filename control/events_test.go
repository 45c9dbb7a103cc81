package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) lines(with string) (lines []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.text.String()) {
		if strings.Contains(line, with) {
			lines = append(lines, line)
		}
	}
	return lines
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func made(t *testing.T, pub publisher.Publisher, cfg control.EventsConfig) *control.EventMonitor {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	m, err := control.Events(pub, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// keys returns the routing keys of what was published about one outcome.
func keys(t *testing.T, cfg control.EventsConfig, d monitoring.Delivery, o monitoring.Outcome) (keys []string) {
	t.Helper()
	var pub publishertest.Recorder
	m := made(t, &pub, cfg)
	m.Start()
	m.End(m.Begin(t.Context(), d), d, o)
	m.Stop(t.Context())
	for _, msg := range pub.Messages() {
		keys = append(keys, msg.RoutingKey)
	}
	return keys
}

func TestEachOutcomeHasItsEvents(t *testing.T) {
	first := monitoring.Delivery{Queue: "orders", Attempt: 1, MaxRetries: 3}
	again, redriven, later := first, first, first
	again.Attempt = 2
	redriven.RedriveCount = 1
	later.RedriveCount, later.Attempt = 2, 3
	for _, c := range []struct {
		about  string
		d      monitoring.Delivery
		action monitoring.Action
		want   string
		all    string // with all of Whats
	}{
		{"acked at once", first, monitoring.Acked, "", ""},
		{"acked at a later attempt", again, monitoring.Acked, "", "orders.recovered"},
		{"retried", first, monitoring.Retried, "orders.retried", "orders.retried"},
		{"retried again", again, monitoring.Retried, "orders.retried", "orders.retried"},
		{"parked", first, monitoring.Parked, "orders.parked", "orders.parked"},
		{"snoozed", first, monitoring.Snoozed, "", ""},
		{"interrupted", first, monitoring.Interrupted, "", ""},
		{"redriven and acked", redriven, monitoring.Acked, "orders.redriven", "orders.redriven orders.recovered"},
		{"redriven and retried", redriven, monitoring.Retried, "orders.retried orders.redriven", "orders.retried orders.redriven"},
		{"redriven and parked", redriven, monitoring.Parked, "orders.parked orders.redriven", "orders.parked orders.redriven"},
		{"redriven and snoozed", redriven, monitoring.Snoozed, "", ""},
		{"redriven, retried and acked", later, monitoring.Acked, "orders.redriven", "orders.redriven orders.recovered"},
		{"redriven and retried again", later, monitoring.Retried, "orders.retried", "orders.retried"},
		{"redriven, retried and parked", later, monitoring.Parked, "orders.parked", "orders.parked"},
		{"unheard of", first, 77, "", ""},
	} {
		o := monitoring.Outcome{Action: c.action}
		if got := strings.Join(keys(t, control.EventsConfig{}, c.d, o), " "); got != c.want {
			t.Errorf("%s: published %q, want %q", c.about, got, c.want)
		}
		if got := strings.Join(keys(t, control.EventsConfig{What: control.Whats}, c.d, o), " "); got != c.all {
			t.Errorf("%s, with all events: published %q, want %q", c.about, got, c.all)
		}
		if got := keys(t, control.EventsConfig{What: []control.What{control.Recovered}}, c.d, o); slices.Contains(got, "orders.retried") || slices.Contains(got, "orders.parked") {
			t.Errorf("%s, with one event: published %q", c.about, got)
		}
	}
}

func TestAnAckCostsNothing(t *testing.T) {
	m := made(t, new(publishertest.Recorder), control.EventsConfig{What: control.Whats})
	ctx, d := t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1, Headers: map[string]any{"a": 1}}
	for _, action := range []monitoring.Action{monitoring.Acked, monitoring.Snoozed, monitoring.Interrupted} {
		o := monitoring.Outcome{Action: action}
		if n := testing.AllocsPerRun(100, func() { m.End(m.Begin(ctx, d), d, o) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", action, n)
		}
	}
}

func BenchmarkEvents(b *testing.B) {
	m, err := control.Events(new(publishertest.Recorder), control.EventsConfig{Logger: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	d := monitoring.Delivery{Consumer: "orders", Queue: "orders", MessageID: "m-1", Attempt: 1, MaxRetries: 3}
	for _, o := range []monitoring.Outcome{
		{Action: monitoring.Acked, Duration: time.Millisecond},
		{Action: monitoring.Retried, Reason: monitoring.ReasonRetry, Err: errors.New("mail server is down"), Delay: time.Minute},
	} {
		b.Run(o.Action.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.End(b.Context(), d, o)
			}
		})
	}
}

func TestAnEventTellsWhatIsKnownAndNothingOfBodyAndHeaders(t *testing.T) {
	var pub publishertest.Recorder
	synctest.Test(t, func(t *testing.T) {
		m := made(t, &pub, control.EventsConfig{})
		m.Start()
		since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		m.End(t.Context(), monitoring.Delivery{
			Consumer: "billing", Queue: "eu.orders", Attempt: 2, MaxRetries: 3, MessageID: "order-7", MessageIDGiven: true, Type: "order", Since: since,
			RedriveCount: 4, RedriveID: "r-9", Body: []byte("the body"), Headers: map[string]any{"tenant": "the header"}, ReplyTo: "the reply",
		}, monitoring.Outcome{
			Action: monitoring.Retried, Reason: monitoring.ReasonTimeout, Err: &json.UnsupportedValueError{Str: "too slow"}, Group: "f00d",
			Stack: "the stack", Delay: time.Minute, Duration: 1500 * time.Millisecond,
		})
		m.Stop(t.Context())
		sent := pub.Messages()
		if len(sent) != 1 {
			t.Fatalf("%d events, want 1", len(sent))
		}
		msg := sent[0]
		if msg.Exchange != "bunnicula.events" || msg.RoutingKey != "eu.orders.retried" || !msg.NotMandatory || msg.ContentType != "application/json" ||
			msg.Publishing.Type != "retried" || msg.MessageId == "" || msg.MessageId == "order-7" || !msg.Timestamp.Equal(time.Now()) {
			t.Errorf("sent as %+v", msg)
		}
		if strings.Contains(string(msg.Body), "the ") {
			t.Errorf("it tells too much: %s", msg.Body)
		}
		var got control.Event
		if err := json.Unmarshal(msg.Body, &got); err != nil {
			t.Fatal(err)
		}
		want := control.Event{
			Version: 1, What: control.Retried, At: time.Now().UTC(), Queue: "eu.orders", Consumer: "billing", MessageID: "order-7", MessageIDGiven: true,
			Type: "order", Attempt: 2, MaxRetries: 3, Action: "retried", Reason: monitoring.ReasonTimeout, Error: "json: unsupported value: too slow",
			ErrorType: "*json.UnsupportedValueError", ErrorGroup: "f00d", DelayMS: 60_000, Until: time.Now().UTC().Add(time.Minute),
			Since: since, DurationMS: 1500, RedriveCount: 4, RedriveID: "r-9", Host: got.Host,
		}
		if got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestTextsOfStrangersAreBoundedAndValid(t *testing.T) {
	for kind, err := range foreigntest.Errors() {
		var pub publishertest.Recorder
		m := made(t, &pub, control.EventsConfig{})
		m.Start()
		d := monitoring.Delivery{
			Queue: "q\xff", MessageID: strings.Repeat("\xff", 255), Type: strings.Repeat("\x1b", 255), RedriveID: strings.Repeat("r", 5000),
			Since: time.Date(52026, 1, 1, 0, 0, 0, 0, time.UTC), Attempt: 1,
		}
		m.End(t.Context(), d, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: err})
		m.Stop(t.Context())
		if s := m.Stats(); s.Published != 1 || s.Dropped != 0 {
			t.Errorf("%s: %+v", kind, s)
			continue
		}
		var e control.Event
		body := pub.Messages()[0].Body
		if err := json.Unmarshal(body, &e); err != nil || len(body) > 20<<10 || len(e.Error) > 2<<10 || len(e.MessageID) > 255 || len(e.RedriveID) > 255 {
			t.Errorf("%s: %v: %d bytes: %.200s", kind, err, len(body), body)
		}
	}
}

func TestNothingIsPublishedAboutEvents(t *testing.T) {
	d := monitoring.Delivery{Queue: "watch", Exchange: control.EventsExchange, Attempt: 1}
	if got := keys(t, control.EventsConfig{}, d, monitoring.Outcome{Action: monitoring.Parked}); got != nil {
		t.Errorf("a consumer of events that fails makes the events %q", got)
	}
	if got := keys(t, control.EventsConfig{Exchange: "mine"}, d, monitoring.Outcome{Action: monitoring.Parked}); len(got) != 1 {
		t.Errorf("a message of an exchange that is not that of events makes the events %q", got)
	}
}

func TestNothingIsPublishedAboutEventsThatTookADetour(t *testing.T) {
	event := control.Event{Version: control.EventVersion, What: control.Parked, Queue: "orders"}
	body, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	fails := monitoring.Outcome{Action: monitoring.Parked}
	for name, row := range map[string]struct {
		d    monitoring.Delivery
		want int // events
	}{
		"dead-lettered":           {monitoring.Delivery{Exchange: "dlx", Type: "parked", Body: body}, 0},
		"published to a queue":    {monitoring.Delivery{Type: "parked", Body: body}, 0},
		"another type":            {monitoring.Delivery{Type: "order", Body: body}, 1},
		"a type of another event": {monitoring.Delivery{Type: "retried", Body: body}, 1},
		"an order that is parked": {monitoring.Delivery{Type: "parked", Body: []byte(`{"version":1,"order":7}`)}, 1},
		"not JSON":                {monitoring.Delivery{Type: "parked", Body: []byte(`{`)}, 1},
	} {
		row.d.Queue, row.d.Attempt = "audit", 1
		if got := keys(t, control.EventsConfig{}, row.d, fails); len(got) != row.want {
			t.Errorf("%s: it has the events %q, want %d", name, got, row.want)
		}
	}
}

func TestEventsPassConformance(t *testing.T) {
	monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor {
		m := made(t, new(publishertest.Recorder), control.EventsConfig{What: control.Whats})
		m.Start()
		t.Cleanup(func() { m.Stop(context.Background()) })
		return m
	})
}

// slow is a Publisher that holds each batch until the context ends, as that of a broker with an
// alarm does, or until it is opened.
type slow struct {
	publishertest.Recorder
	open chan struct{}
}

func (s *slow) PublishBatch(ctx context.Context, messages ...publisher.Message) error {
	select {
	case <-s.open:
		return s.Recorder.PublishBatch(ctx, messages...)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func TestASlowBrokerSlowsNoHandlerAndWhatIsDroppedIsCountedAndToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pub, log := &slow{open: make(chan struct{})}, new(journal)
		m := made(t, pub, control.EventsConfig{Buffer: 100, Logger: log.logger()})
		m.Start()
		synctest.Wait()
		fail := func(n int) {
			began := time.Now()
			for range n {
				m.End(t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Parked})
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("%d outcomes took %s, want no waiting", n, took)
			}
		}
		fail(1) // the goroutine has it in hand now
		synctest.Wait()
		fail(100)
		if s := m.Stats(); s.Dropped != 0 {
			t.Errorf("%+v before the buffer is full", s)
		}
		fail(5000)
		if s := m.Stats(); s.Dropped != 5000 || s.Published != 0 {
			t.Errorf("%+v, want 5000 dropped", s)
		}
		for range 90 { // 90 s, in which more are dropped by the timeout of 5 s, and for want of room
			time.Sleep(time.Second)
			fail(200)
		}
		lines := log.lines("events dropped")
		if len(lines) != 2 || !strings.Contains(lines[0], " dropped=1 ") || !strings.Contains(lines[1], "dropped_total=") {
			t.Errorf("logged %q, want two lines in 90 s, the first at once", lines)
		}
		close(pub.open)
		time.Sleep(time.Second)
		fail(1)
		m.Stop(t.Context())
		s := m.Stats()
		if total := uint64(1 + 100 + 5000 + 90*200 + 1); s.Published+s.Dropped != total || s.Published == 0 {
			t.Errorf("%+v, want %d in all", s, total)
		}
		if n := uint64(len(pub.Messages())); n != s.Published {
			t.Errorf("%d are at the broker, and %d are counted", n, s.Published)
		}
	})
}

func TestStopPublishesWhatWaitsAndTakesASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pub publishertest.Recorder
		m := made(t, &pub, control.EventsConfig{})
		d, o := monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Retried}
		for range 300 { // before Start they wait
			m.End(t.Context(), d, o)
		}
		m.Start()
		m.Start()
		m.Stop(t.Context())
		m.Stop(t.Context())
		if n := len(pub.Messages()); n != 300 || m.Stats().Published != 300 {
			t.Errorf("%d were published and %+v counted, want 300", n, m.Stats())
		}
		m.End(t.Context(), d, o) // of a handler that outlives the stop
		if s := m.Stats(); s.Dropped != 1 {
			t.Errorf("%+v, want the late one dropped and counted", s)
		}
		m.Start()

		stuck, log := &slow{open: make(chan struct{})}, new(journal)
		m = made(t, stuck, control.EventsConfig{Logger: log.logger()})
		m.Start()
		for range 200 {
			m.End(t.Context(), d, o)
		}
		began := time.Now()
		m.Stop(t.Context())
		if took := time.Since(began); took != time.Second {
			t.Errorf("Stop took %s with a broker that does not answer, want a second", took)
		}
		if s := m.Stats(); s.Dropped != 200 || len(log.lines("events dropped")) == 0 {
			t.Errorf("%+v, want all 200 dropped and told", s)
		}

		never := made(t, stuck, control.EventsConfig{})
		never.End(t.Context(), d, o)
		never.Stop(t.Context())
		if s := never.Stats(); s.Dropped != 1 {
			t.Errorf("never started it is %+v, want one dropped", s)
		}
	})
}

func TestAnExchangeThatRefusesIsLeftAloneForAMinuteAndTheLogSaysSoOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pub, log := new(refusing), new(journal)
		m := made(t, pub, control.EventsConfig{Logger: log.logger()})
		m.Start()
		pub.code = 404
		fail := func() {
			m.End(t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Parked})
			synctest.Wait()
		}
		for range 590 { // ten minutes, less a few seconds
			fail()
			time.Sleep(time.Second)
		}
		if pub.calls > 11 {
			t.Errorf("%d batches in ten minutes; each may cost a channel", pub.calls)
		}
		if n := len(log.lines("events are not published")); n != 1 {
			t.Errorf("it is told %d times", n)
		}
		if s := m.Stats(); s.Dropped != 590 || s.Published != 0 {
			t.Errorf("%+v, want 590 dropped", s)
		}
		pub.code = 0
		time.Sleep(time.Minute)
		fail()
		m.Stop(t.Context())
		if s := m.Stats(); s.Published != 1 || len(log.lines("published again")) != 1 {
			t.Errorf("%+v, want the last one published, and %q once", s, log.lines("again"))
		}
	})
}

// refusing is a Publisher of an exchange that is not there.
type refusing struct {
	publishertest.Recorder
	code, calls int
}

func (r *refusing) PublishBatch(ctx context.Context, messages ...publisher.Message) error {
	r.calls++
	if r.code == 0 {
		return r.Recorder.PublishBatch(ctx, messages...)
	}
	all := &publisher.BatchError{Errs: map[int]error{}, Of: len(messages)}
	for i := range messages {
		all.Errs[i] = &publisher.RefusedError{Code: r.code, Text: "NOT_FOUND"}
	}
	return all
}

func TestAWrongConfigIsRefusedWithEachField(t *testing.T) {
	for _, c := range []struct {
		cfg  control.EventsConfig
		want []string
	}{
		{control.EventsConfig{Exchange: strings.Repeat("x", 256)}, []string{"EventsConfig.Exchange is 256 bytes long"}},
		{control.EventsConfig{Buffer: -1}, []string{"EventsConfig.Buffer is -1"}},
		{control.EventsConfig{Buffer: 2 << 20}, []string{"EventsConfig.Buffer is 2097152"}},
		{control.EventsConfig{What: []control.What{}}, []string{"EventsConfig.What is empty"}},
		{control.EventsConfig{What: []control.What{"acked", "parked", "parked"}, Buffer: -2}, []string{`What has "acked"`, `"parked" twice`, "Buffer is -2"}},
	} {
		_, err := control.Events(new(publishertest.Recorder), c.cfg)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want it to say %q", c.cfg, err, want)
			}
		}
	}
	if _, err := control.Events(nil, control.EventsConfig{}); err == nil || !strings.Contains(err.Error(), "publisher of Events is nil") {
		t.Errorf("without a publisher: got %v", err)
	}
}

func TestKeysAreShortAndNoTwoQueuesHaveTheSame(t *testing.T) {
	if got := control.EventKey("eu.orders", control.Parked); got != "eu.orders.parked" {
		t.Errorf("the key is %q", got)
	}
	long := strings.Repeat("q", 239) + "ä"
	seen := map[string]string{}
	for _, queue := range []string{long, long + "ä", long + "b", strings.Repeat("q", 240), strings.Repeat("q", 255), strings.Repeat("ä", 127)} {
		for _, what := range append(slices.Clone(control.Whats), "*") {
			key := control.EventKey(queue, what)
			if len(key) > 255 || !strings.HasSuffix(key, "."+string(what)) || seen[key] != "" || strings.ToValidUTF8(key, "?") != key {
				t.Errorf("the key of %d bytes is %q, of %d bytes, and that of %q", len(queue), key, len(key), seen[key])
			}
			seen[key] = queue
		}
		all := strings.TrimSuffix(control.EventKey(queue, "*"), "*")
		if !strings.HasPrefix(control.EventKey(queue, control.Redriven), all) {
			t.Errorf("the key of one event is not the key of any event of %q", queue)
		}
	}
}
