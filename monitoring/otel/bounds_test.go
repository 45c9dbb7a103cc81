package otel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/monitoring/otel"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// series returns the series of each metric, as their attributes.
func (s seen) series(t *testing.T) map[string][]attribute.Set {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := s.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	series := map[string][]attribute.Set{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					series[m.Name] = append(series[m.Name], p.Attributes)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					series[m.Name] = append(series[m.Name], p.Attributes)
				}
			}
		}
	}
	return series
}

func (s seen) names() map[string]int {
	names := map[string]int{}
	for _, span := range s.spans.Ended() {
		names[span.Name()]++
	}
	return names
}

func TestMonitorPassesConformance(t *testing.T) {
	monitoringtest.Conformance(t, func(t *testing.T) monitoring.Monitor { return watch(t, nil) })
}

const ids = 200

func TestRoutingKeysWithIDsMakeNoNamesOfTheirOwn(t *testing.T) {
	for name, row := range map[string]struct {
		keys   []string
		names  map[string]int
		series []string // the destination of each
	}{
		"without patterns": {nil, map[string]int{"send": 2*ids + 2}, []string{"template=other"}},
		"with patterns": {
			[]string{"orders", "order.*.created", "order.#"},
			map[string]int{"send order.*.created": ids, "send orders": 1, "send order.#": 1, "send": ids},
			[]string{"name=orders", "template=order.#", "template=order.*.created", "template=other"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := watch(t, func(c *otel.Config) { c.RoutingKeys = row.keys })
			pub := s.Publisher(&publishertest.Recorder{})
			for i := range ids {
				for _, key := range []string{fmt.Sprintf("order.%d.created", i), fmt.Sprintf("reply-%d", i)} {
					if err := pub.Publish(t.Context(), key, 1); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, key := range []string{"orders", "order.7.paid"} {
				if err := pub.Publish(t.Context(), key, 1); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.names(); !equal(got, row.names) {
				t.Errorf("the spans are called %v, want %v", got, row.names)
			}
			series := s.series(t)["messaging.client.sent.messages"]
			if len(series) != len(row.series) {
				t.Errorf("there are %d series, want %q", len(series), row.series)
			}
			for _, want := range row.series {
				kind, value, _ := strings.Cut(want, "=")
				if !hasSeries(series, attribute.Key("messaging.destination."+kind), value) {
					t.Errorf("no series has %s", want)
				}
			}
			wants(t, s.spans.Ended()[0], map[string]any{
				"messaging.destination.name": "order.0.created", "messaging.rabbitmq.destination.routing_key": "order.0.created",
			})
		})
	}
}

func equal(a, b map[string]int) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func hasSeries(series []attribute.Set, key attribute.Key, value string) bool {
	for _, s := range series {
		if v, ok := s.Value(key); ok && v.AsString() == value {
			return true
		}
	}
	return false
}

func TestABatchOfOnePatternIsCalledByIt(t *testing.T) {
	s := watch(t, func(c *otel.Config) { c.RoutingKeys = []string{"order.*"} })
	pub := s.Publisher(&publishertest.Recorder{})
	for _, keys := range [][]string{{"order.1", "order.2"}, {"order.1", "orders"}, {"order.3", "order.3"}, {"", "order.1"}} {
		var batch []publisher.Message
		for _, key := range keys {
			batch = append(batch, publisher.Message{RoutingKey: key, Payload: 1})
		}
		if err := pub.PublishBatch(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
	}
	spans := s.ended(t, 4)
	for i, want := range []struct {
		name string
		key  any
	}{{"send order.*", nil}, {"send", nil}, {"send order.*", "order.3"}, {"send", nil}} {
		if spans[i].Name() != want.name {
			t.Errorf("batch %d is called %q, want %q", i, spans[i].Name(), want.name)
		}
		wants(t, spans[i], map[string]any{"messaging.destination.name": want.key})
	}
}

// Whatever is in messages, a consumer has one span name, and a series for each of its reasons.
func TestWhatIsInMessagesMakesNoSeries(t *testing.T) {
	s := watch(t, nil)
	for i := range ids {
		id := fmt.Sprint(i)
		d := monitoring.Delivery{
			Consumer: "importer", Queue: "orders", Exchange: "x" + id, RoutingKey: "order." + id, Type: id, AppID: id, MessageID: id, CorrelationID: id,
			ContentType: id, Headers: map[string]any{"bunnicula-reason": id, "type": id}, Attempt: i + 1,
		}
		for _, o := range []monitoring.Outcome{outcome, {Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: errors.New(id), Duration: time.Second}} {
			s.End(s.Begin(context.Background(), d), d, o)
		}
	}
	if got := s.names(); !equal(got, map[string]int{"process orders": 2 * ids}) {
		t.Errorf("the spans are called %v", got)
	}
	for name, series := range s.series(t) {
		if len(series) != 2 {
			t.Errorf("%s has %d series, want one that succeeded and one that failed", name, len(series))
		}
	}
}

func TestWhatOthersHaveWrittenIsShortUTF8OnSpans(t *testing.T) {
	s := watch(t, func(c *otel.Config) { c.RoutingKeys = []string{"#"} })
	strange := "\xff\x00" + strings.Repeat("é", 1<<17)
	d := monitoring.Delivery{Consumer: strange, Queue: strange, Exchange: strange, RoutingKey: strange, MessageID: strange, CorrelationID: strange}
	s.End(s.Begin(context.Background(), d), d, outcome)
	if err := s.Publisher(&publishertest.Recorder{}).Publish(t.Context(), strange, 1); err == nil {
		t.Error("AMQP has no such routing key")
	}
	for _, span := range s.ended(t, 2) {
		if !utf8.ValidString(span.Name()) {
			t.Errorf("the span is called %.20q", span.Name())
		}
		for _, a := range span.Attributes() {
			if v := a.Value.String(); len(v) > 1<<10 || !utf8.ValidString(v) {
				t.Errorf("span %q: %s has %d bytes: %.20q", span.Name(), a.Key, len(v), v)
			}
		}
	}
}

func TestAnErrorOfAnyKindIsAnErrorOnItsSpan(t *testing.T) {
	for kind, err := range foreigntest.Errors() {
		s := watch(t, nil)
		d := monitoring.Delivery{Queue: "orders", Attempt: 1}
		for _, err := range []error{err, foreign.Safe(err)} {
			o := monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: err, Duration: time.Second}
			s.End(s.Begin(context.Background(), d), d, o)
		}
		pub := s.Publisher(&publishertest.Recorder{Err: err})
		if got := pub.Publish(t.Context(), "orders", 1); got == nil {
			t.Errorf("%s: the publish has no error", kind)
		}
		if _, err := pub.PublishAsync(t.Context(), "orders", 1); err != nil {
			t.Errorf("%s: %T", kind, err)
		}
		amqptest.Eventually(t, 5*time.Second, func() bool { return len(s.spans.Ended()) == 4 }, "%s: its span does not end", kind)
		for _, span := range s.ended(t, 4) {
			checkErrorSpan(t, kind, span)
		}
		for name, series := range s.series(t) {
			for _, one := range series {
				if v, ok := one.Value("error.type"); !ok || len(v.AsString()) > 100 || strings.Contains(v.AsString(), "strange") {
					t.Errorf("%s: %s counts the error as %.100q", kind, name, v.AsString())
				}
			}
		}
	}
}

func checkErrorSpan(t *testing.T, kind string, span sdk.ReadOnlySpan) {
	t.Helper()
	if status := span.Status(); status.Code != codes.Error || len(status.Description) > 4<<10 || !utf8.ValidString(status.Description) {
		t.Errorf("%s: the status of %q is %v with %d bytes", kind, span.Name(), status.Code, len(status.Description))
	}
	if events := span.Events(); len(events) != 1 || events[0].Name != "exception" {
		t.Errorf("%s: the events of %q are %v", kind, span.Name(), events)
	}
}
