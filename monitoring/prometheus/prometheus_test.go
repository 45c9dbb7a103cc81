package prometheus_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
)

type (
	conn  connection.Health
	group []consumer.Health
)

func (c conn) Health() connection.Health  { return connection.Health(c) }
func (g group) Health() []consumer.Health { return g }

// busy is a Monitor that has seen every kind of outcome, of a consumer and a connection in trouble.
func busy(t *testing.T) (*prometheus.Monitor, *prom.Registry) {
	t.Helper()
	registry := prom.NewRegistry()
	m, err := prometheus.New(prometheus.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	m.WatchConnection("shop", conn{
		Publishing: connection.LinkHealth{Used: true, Connected: true, Blocked: "low on memory"},
		Consuming:  connection.LinkHealth{Used: true, Lost: 3},
	})
	m.WatchConnection("unused", conn{})
	m.WatchConsumers(group{
		{Name: "orders", Ready: true, Running: 3},
		{Name: "emails", Running: 4, Stuck: 4, MonitorsBlocked: 1, CopiesBlocked: 2, StaleAcks: 5, Slow: true},
	})
	d := monitoring.Delivery{Consumer: "orders", Attempt: 1, Timestamp: time.Now().Add(-time.Minute)}
	for _, o := range []monitoring.Outcome{
		{Action: monitoring.Acked, Duration: 2 * time.Second},
		{Action: monitoring.Retried, Reason: monitoring.ReasonTimeout, Duration: time.Minute},
		{Action: monitoring.Snoozed},
		{Action: monitoring.Interrupted, Duration: time.Second},
		{Action: monitoring.Parked, Reason: monitoring.ReasonUndecodable, Duration: 10 * time.Microsecond},
	} {
		m.End(m.Begin(context.Background(), d), d, o)
	}
	d.Attempt, d.Timestamp = 4, time.Time{}
	m.End(context.Background(), d, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonCrashed})
	return m, registry
}

func TestTheMetricsSayWhatHappened(t *testing.T) {
	_, registry := busy(t)
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP bunnicula_connection_blocked 1 while the broker takes no messages on it.
# TYPE bunnicula_connection_blocked gauge
bunnicula_connection_blocked{connection="shop",purpose="consume"} 0
bunnicula_connection_blocked{connection="shop",purpose="publish"} 1
# HELP bunnicula_connection_lost_total How often the connection was lost.
# TYPE bunnicula_connection_lost_total counter
bunnicula_connection_lost_total{connection="shop",purpose="consume"} 3
bunnicula_connection_lost_total{connection="shop",purpose="publish"} 0
# HELP bunnicula_connection_up 1 if the connection is up, 0 if it should be.
# TYPE bunnicula_connection_up gauge
bunnicula_connection_up{connection="shop",purpose="consume"} 0
bunnicula_connection_up{connection="shop",purpose="publish"} 1
# HELP bunnicula_consumer_copies_blocked Copies to a retry or error queue that the broker has not confirmed.
# TYPE bunnicula_consumer_copies_blocked gauge
bunnicula_consumer_copies_blocked{consumer="emails"} 2
bunnicula_consumer_copies_blocked{consumer="orders"} 0
# HELP bunnicula_consumer_handlers Handlers that run.
# TYPE bunnicula_consumer_handlers gauge
bunnicula_consumer_handlers{consumer="emails"} 4
bunnicula_consumer_handlers{consumer="orders"} 3
# HELP bunnicula_consumer_handlers_stuck Handlers past their timeout and grace.
# TYPE bunnicula_consumer_handlers_stuck gauge
bunnicula_consumer_handlers_stuck{consumer="emails"} 4
bunnicula_consumer_handlers_stuck{consumer="orders"} 0
# HELP bunnicula_consumer_monitors_blocked Calls of a monitor that do not return.
# TYPE bunnicula_consumer_monitors_blocked gauge
bunnicula_consumer_monitors_blocked{consumer="emails"} 1
bunnicula_consumer_monitors_blocked{consumer="orders"} 0
# HELP bunnicula_consumer_slow 1 while a message that came back without an end is handled alone.
# TYPE bunnicula_consumer_slow gauge
bunnicula_consumer_slow{consumer="emails"} 1
bunnicula_consumer_slow{consumer="orders"} 0
# HELP bunnicula_consumer_stale_acks_total Acks dropped because their session had ended; the broker delivers those messages again.
# TYPE bunnicula_consumer_stale_acks_total counter
bunnicula_consumer_stale_acks_total{consumer="emails"} 5
bunnicula_consumer_stale_acks_total{consumer="orders"} 0
# HELP bunnicula_consumer_up 1 if the consumer is subscribed, or paused, and not wedged.
# TYPE bunnicula_consumer_up gauge
bunnicula_consumer_up{consumer="emails"} 0
bunnicula_consumer_up{consumer="orders"} 1
# HELP bunnicula_deliveries_total Settled deliveries.
# TYPE bunnicula_deliveries_total counter
bunnicula_deliveries_total{action="acked",consumer="orders",reason=""} 1
bunnicula_deliveries_total{action="interrupted",consumer="orders",reason=""} 1
bunnicula_deliveries_total{action="parked",consumer="orders",reason="crashed"} 1
bunnicula_deliveries_total{action="parked",consumer="orders",reason="undecodable"} 1
bunnicula_deliveries_total{action="retried",consumer="orders",reason="timeout"} 1
bunnicula_deliveries_total{action="snoozed",consumer="orders",reason=""} 1
# HELP bunnicula_message_attempts Attempts that messages took until their ack or the error queue.
# TYPE bunnicula_message_attempts histogram
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="1"} 1
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="2"} 1
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="3"} 1
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="4"} 1
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="5"} 1
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="10"} 1
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="20"} 1
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="50"} 1
bunnicula_message_attempts_bucket{action="acked",consumer="orders",le="+Inf"} 1
bunnicula_message_attempts_sum{action="acked",consumer="orders"} 1
bunnicula_message_attempts_count{action="acked",consumer="orders"} 1
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="1"} 1
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="2"} 1
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="3"} 1
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="4"} 2
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="5"} 2
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="10"} 2
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="20"} 2
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="50"} 2
bunnicula_message_attempts_bucket{action="parked",consumer="orders",le="+Inf"} 2
bunnicula_message_attempts_sum{action="parked",consumer="orders"} 5
bunnicula_message_attempts_count{action="parked",consumer="orders"} 2
`), append(named("connection_blocked", "connection_lost_total", "connection_up", "deliveries_total", "message_attempts"),
		named("consumer_copies_blocked", "consumer_handlers", "consumer_handlers_stuck", "consumer_monitors_blocked", "consumer_slow", "consumer_stale_acks_total", "consumer_up")...)...)
	if err != nil {
		t.Error(err)
	}
}

func named(names ...string) []string {
	for i := range names {
		names[i] = "bunnicula_" + names[i]
	}
	return names
}

func TestDurationAndAgeAreObservedWhereTheyMeanSomething(t *testing.T) {
	_, registry := busy(t)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if h := m.GetHistogram(); h != nil {
				got[f.GetName()+" "+m.GetLabel()[0].GetValue()] = h.GetSampleCount()
				if f.GetName() == "bunnicula_message_age_seconds" && (h.GetSampleSum() < 60 || h.GetSampleSum() > 65) {
					t.Errorf("the age is %f, want 60", h.GetSampleSum())
				}
			}
		}
	}
	for what, want := range map[string]uint64{
		"bunnicula_handler_duration_seconds acked": 1, "bunnicula_handler_duration_seconds retried": 1, "bunnicula_handler_duration_seconds snoozed": 0,
		"bunnicula_handler_duration_seconds interrupted": 1, "bunnicula_handler_duration_seconds parked": 1,
		"bunnicula_message_age_seconds acked": 1, "bunnicula_message_age_seconds parked": 1, "bunnicula_message_age_seconds retried": 0,
	} {
		if got[what] != want {
			t.Errorf("%s has %d observations, want %d", what, got[what], want)
		}
	}
}

// What promtool says of metrics: names, units, help.
func TestNothingIsWrongWithTheMetricsInTheEyesOfPrometheus(t *testing.T) {
	_, registry := busy(t)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestAScrapeCanBeRead(t *testing.T) {
	_, registry := busy(t)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 14 {
		t.Errorf("%d metrics were scraped, want the 14 that the package's doc lists", len(families))
	}
}

func TestASecondMonitorIsRefusedUntilTheFirstIsClosed(t *testing.T) {
	m, registry := busy(t)
	if _, err := prometheus.New(prometheus.Config{Registerer: registry}); err == nil || !strings.Contains(err.Error(), "prometheus: register: duplicate") {
		t.Errorf("the error is %v", err)
	}
	m.Close()
	again, err := prometheus.New(prometheus.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestAWrongConfigIsRefusedByItsField(t *testing.T) {
	for field, c := range map[string]prometheus.Config{
		"DurationBuckets": {DurationBuckets: []float64{1, 1}}, "AgeBuckets": {AgeBuckets: []float64{0, 1}}, "AttemptBuckets": {AttemptBuckets: []float64{2, 1}},
	} {
		c.Registerer = prom.NewRegistry()
		if _, err := prometheus.New(c); err == nil || !strings.HasPrefix(err.Error(), "prometheus: Config."+field+" is [") {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
}
