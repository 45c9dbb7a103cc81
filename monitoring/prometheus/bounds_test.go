package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
)

func newMonitor(t *testing.T) (*prometheus.Monitor, *prom.Registry) {
	t.Helper()
	registry := prom.NewRegistry()
	m, err := prometheus.New(prometheus.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	return m, registry
}

// scraped is what a scrape says of one metric.
type scraped struct {
	series  int
	counted float64 // by all series, if the metric is a counter
}

func metrics(t *testing.T, registry *prom.Registry) map[string]scraped {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]scraped{}
	for _, f := range families {
		one := scraped{series: len(f.GetMetric())}
		for _, m := range f.GetMetric() {
			one.counted += m.GetCounter().GetValue()
		}
		all[f.GetName()] = one
	}
	return all
}

func TestMonitorPassesConformance(t *testing.T) {
	monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor {
		m, registry := newMonitor(t)
		t.Cleanup(func() { metrics(t, registry) }) // what was recorded can be scraped
		return m
	})
}

func TestAnErrorOfAnyKindIsCounted(t *testing.T) {
	m, registry := newMonitor(t)
	n := 0.0
	for _, err := range foreigntest.Errors() {
		for _, err := range []error{err, foreign.Safe(err)} {
			n++
			m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: err})
		}
	}
	if got, want := metrics(t, registry)["bunnicula_deliveries_total"], (scraped{1, n}); got != want {
		t.Errorf("the metric is %v, want %v", got, want)
	}
}

func TestWhatIsInMessagesMakesNoSeries(t *testing.T) {
	m, registry := newMonitor(t)
	for i := range 200 {
		id := fmt.Sprint(i)
		d := monitoring.Delivery{
			Consumer: "importer", Queue: "orders", Exchange: id, RoutingKey: "order." + id + ".created", Type: id, AppID: id, MessageID: id,
			ContentType: id, Headers: map[string]any{"bunnicula-reason": id}, Attempt: i + 1, Timestamp: time.Now(),
		}
		m.End(t.Context(), d, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: errors.New(id), Group: id, Duration: time.Second})
	}
	for name, m := range metrics(t, registry) {
		if m.series != 1 {
			t.Errorf("%s has %d series, want 1", name, m.series)
		}
	}
}

// A producer that writes milliseconds is 50,000 years ahead. One sample of it would be the sum.
func TestAnAbsurdTimestampIsNoAge(t *testing.T) {
	m, registry := newMonitor(t)
	for _, seconds := range []int64{time.Now().UnixMilli(), math.MaxInt64, math.MinInt64, -1 << 40} {
		m.End(t.Context(), monitoring.Delivery{Timestamp: time.Unix(seconds, 0), Since: time.Unix(seconds, 0)}, monitoring.Outcome{Action: monitoring.Acked})
	}
	if n := metrics(t, registry)["bunnicula_message_age_seconds"].series; n != 0 {
		t.Errorf("there are %d series of ages, want none", n)
	}
}

// A name is the app's own. It must not break the scrape of all others.
func TestANameThatIsNoTextDoesNotBreakTheScrape(t *testing.T) {
	m, registry := newMonitor(t)
	m.Watch(source([]string{"", "a\xff"}, map[string]float64{"consumer_up": 1}))
	m.End(context.Background(), monitoring.Delivery{Consumer: "a\xff"}, monitoring.Outcome{Action: monitoring.Acked})
	all := metrics(t, registry)
	for _, name := range []string{"bunnicula_consumer_up", "bunnicula_deliveries_total"} {
		if all[name].series != 1 {
			t.Errorf("%s has %d series, want 1", name, all[name].series)
		}
	}
}
