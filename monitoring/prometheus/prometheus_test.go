package prometheus_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
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

// source returns a Source of these metrics, all with the same labels.
func source(labels []string, figures map[string]float64) prometheus.Source {
	return func(tell func(name string, value float64, labels ...string)) {
		for name, value := range figures {
			tell(name, value, labels...)
		}
	}
}

// busy returns a Monitor after every kind of outcome, which watches a consumer and a connection in
// trouble.
func busy(t *testing.T) (*prometheus.Monitor, *prom.Registry) {
	t.Helper()
	registry := prom.NewRegistry()
	m, err := prometheus.New(prometheus.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	m.Watch(source([]string{"shop", "publish"}, map[string]float64{"connection_up": 1, "connection_blocked": 1, "connection_lost_total": 0}))
	m.Watch(source([]string{"shop", "consume"}, map[string]float64{"connection_up": 0, "connection_blocked": 0, "connection_lost_total": 3}))
	m.Watch(source([]string{"", "orders"}, map[string]float64{
		"consumer_up": 1, "consumer_handlers": 3, "consumer_handlers_limit": 8, "consumer_handlers_stuck": 0, "consumer_monitors_blocked": 0,
		"consumer_copies_blocked": 0, "consumer_unreadable": 0, "consumer_refused": 0, "consumer_slow": 0, "consumer_stale_acks_total": 0,
	}))
	m.Watch(source([]string{"", "emails"}, map[string]float64{
		"consumer_up": 0, "consumer_handlers": 4, "consumer_handlers_limit": 4, "consumer_handlers_stuck": 4, "consumer_monitors_blocked": 1,
		"consumer_copies_blocked": 2, "consumer_unreadable": 1, "consumer_refused": 3, "consumer_slow": 1, "consumer_stale_acks_total": 5,
	}))
	d := monitoring.Delivery{Consumer: "orders", Attempt: 1, Since: time.Now().Add(-time.Minute), Timestamp: time.Now().Add(-time.Hour)}
	for _, o := range []monitoring.Outcome{
		{Action: monitoring.Acked, Duration: 2 * time.Second},
		{Action: monitoring.Retried, Reason: monitoring.ReasonTimeout, Duration: time.Minute},
		{Action: monitoring.Snoozed, Err: errors.New("mail server is down")},
		{Action: monitoring.Interrupted, Duration: time.Second},
		{Action: monitoring.Parked, Reason: monitoring.ReasonUndecodable, Duration: 10 * time.Microsecond},
	} {
		m.End(m.Begin(context.Background(), d), d, o)
	}
	d.Attempt, d.Since = 4, time.Time{}
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
bunnicula_consumer_copies_blocked{connection="",consumer="emails"} 2
bunnicula_consumer_copies_blocked{connection="",consumer="orders"} 0
# HELP bunnicula_consumer_handlers Handlers that run.
# TYPE bunnicula_consumer_handlers gauge
bunnicula_consumer_handlers{connection="",consumer="emails"} 4
bunnicula_consumer_handlers{connection="",consumer="orders"} 3
# HELP bunnicula_consumer_handlers_limit How many handlers may run at once.
# TYPE bunnicula_consumer_handlers_limit gauge
bunnicula_consumer_handlers_limit{connection="",consumer="emails"} 4
bunnicula_consumer_handlers_limit{connection="",consumer="orders"} 8
# HELP bunnicula_consumer_handlers_stuck Handlers past their timeout and grace.
# TYPE bunnicula_consumer_handlers_stuck gauge
bunnicula_consumer_handlers_stuck{connection="",consumer="emails"} 4
bunnicula_consumer_handlers_stuck{connection="",consumer="orders"} 0
# HELP bunnicula_consumer_monitors_blocked Calls of a monitor that do not return.
# TYPE bunnicula_consumer_monitors_blocked gauge
bunnicula_consumer_monitors_blocked{connection="",consumer="emails"} 1
bunnicula_consumer_monitors_blocked{connection="",consumer="orders"} 0
# HELP bunnicula_consumer_slow 1 while a message that came back without an end is handled alone.
# TYPE bunnicula_consumer_slow gauge
bunnicula_consumer_slow{connection="",consumer="emails"} 1
bunnicula_consumer_slow{connection="",consumer="orders"} 0
# HELP bunnicula_consumer_stale_acks_total Acks dropped because their session had ended; the broker delivers those messages again.
# TYPE bunnicula_consumer_stale_acks_total counter
bunnicula_consumer_stale_acks_total{connection="",consumer="emails"} 5
bunnicula_consumer_stale_acks_total{connection="",consumer="orders"} 0
# HELP bunnicula_consumer_up 1 if the consumer is subscribed, or paused, and not wedged.
# TYPE bunnicula_consumer_up gauge
bunnicula_consumer_up{connection="",consumer="emails"} 0
bunnicula_consumer_up{connection="",consumer="orders"} 1
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
		named("consumer_copies_blocked", "consumer_handlers", "consumer_handlers_limit", "consumer_handlers_stuck", "consumer_monitors_blocked", "consumer_slow", "consumer_stale_acks_total", "consumer_up")...)...)
	if err != nil {
		t.Error(err)
	}
}

// Prometheus refuses a whole scrape in which a metric occurs twice.
func TestTwoConsumersOfOneNameDoNotBreakTheScrape(t *testing.T) {
	m, registry := busy(t)
	var all []*consumer.Consumer
	for _, name := range []string{"", "billing"} {
		conn, err := connection.New(connection.Config{Name: "app"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.Watch(conn.Metrics)
		c, err := consumer.New(conn, consumer.Spec{
			Queue: "invoices", Connection: name,
			Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() },
		}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	group, err := consumer.NewGroup(all...)
	if err != nil {
		t.Fatal(err)
	}
	m.Watch(group.Metrics)
	m.Watch(group.Metrics) // by mistake
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			if label := metric.GetLabel(); f.GetName() == "bunnicula_consumer_up" && label[1].GetValue() == "invoices" {
				got = append(got, label[0].GetValue())
			}
		}
	}
	if want := []string{"", "billing"}; !slices.Equal(got, want) {
		t.Errorf("the consumers of the connections %q are shown, want %q", got, want)
	}
}

// A scrape runs in goroutines of the registry, where a panic ends the process.
func TestWhateverASourceTellsTheScrapeIsValid(t *testing.T) {
	m, registry := busy(t)
	m.Watch(source([]string{"shop", "publish"}, map[string]float64{ // another connection of the same name
		"connection_up": 0, "connection_blocked": 0, "connection_lost_total": 7,
	}))
	m.Watch(func(tell func(name string, value float64, labels ...string)) {
		tell("consumer_up", 1, "too", "many", "labels")
		tell("consumer_up", 1)
		tell("unheard_of", 1, "", "orders")
		tell("consumer_up", 1, "", "\xff not UTF-8")
		panic("boom")
	})
	m.Watch(source([]string{"late", "publish"}, map[string]float64{"connection_up": 1}))
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP bunnicula_connection_lost_total How often the connection was lost.
# TYPE bunnicula_connection_lost_total counter
bunnicula_connection_lost_total{connection="shop",purpose="consume"} 3
bunnicula_connection_lost_total{connection="shop",purpose="publish"} 7
# HELP bunnicula_connection_blocked 1 while the broker takes no messages on it.
# TYPE bunnicula_connection_blocked gauge
bunnicula_connection_blocked{connection="shop",purpose="consume"} 0
bunnicula_connection_blocked{connection="shop",purpose="publish"} 1
# HELP bunnicula_connection_up 1 if the connection is up, 0 if it should be.
# TYPE bunnicula_connection_up gauge
bunnicula_connection_up{connection="late",purpose="publish"} 1
bunnicula_connection_up{connection="shop",purpose="consume"} 0
bunnicula_connection_up{connection="shop",purpose="publish"} 0
# HELP bunnicula_consumer_up 1 if the consumer is subscribed, or paused, and not wedged.
# TYPE bunnicula_consumer_up gauge
bunnicula_consumer_up{connection="",consumer="emails"} 0
bunnicula_consumer_up{connection="",consumer="orders"} 1
bunnicula_consumer_up{connection="",consumer="� not UTF-8"} 1
`), named("connection_blocked", "connection_lost_total", "connection_up", "consumer_up")...)
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

// promtool checks names, units and help texts.
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
	if len(families) != 17 {
		t.Errorf("%d metrics were scraped, want the 17 that the package's doc lists", len(families))
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

func TestAllWrongFieldsAreReportedTogether(t *testing.T) {
	_, err := prometheus.New(prometheus.Config{Registerer: prom.NewRegistry(), AgeBuckets: []float64{0}, AttemptBuckets: []float64{2, 1}})
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{"AgeBuckets is", "AttemptBuckets is"} {
		if !strings.Contains(err.Error(), "prometheus: Config."+want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}
