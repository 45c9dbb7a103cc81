package prometheus

import (
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	prom "github.com/prometheus/client_golang/prometheus"
)

// Source tells metrics at this moment. It calls tell with the name of each, its value, and its
// labels in the order of this package's documentation. The method Metrics of a
// *connection.Connection and of a *consumer.Group is a Source.
type Source = func(tell func(name string, value float64, labels ...string))

// Watch adds the metrics of a source: m.Watch(conn.Metrics), m.Watch(group.Metrics). If two tell a
// metric with the same labels, as two connections of one name do, the worse value is shown. A panic
// of a source is logged to Config.Logger, and the scrape goes on.
func (m *Monitor) Watch(s Source) {
	m.watched.mu.Lock()
	defer m.watched.mu.Unlock()
	m.watched.sources = append(m.watched.sources, s)
}

// watched is a prometheus.Collector that asks its sources at each scrape.
type watched struct {
	log *slog.Logger // immutable

	mu      sync.Mutex
	sources []Source // guarded by mu
}

// figure describes one metric to Prometheus.
type figure struct {
	desc *prom.Desc
	kind prom.ValueType
	isUp bool // 1 is good, 0 is bad
}

func newFigure(name, help string, kind prom.ValueType, labels ...string) figure {
	return figure{prom.NewDesc("bunnicula_"+name, help, labels, nil), kind, strings.HasSuffix(name, "_up")}
}

func ofConsumer(name, help string, kind prom.ValueType) figure {
	return newFigure(name, help, kind, "connection", "consumer")
}

func ofConnection(name, help string, kind prom.ValueType) figure {
	return newFigure(name, help, kind, "connection", "purpose")
}

// figures are the metrics of all sources, by the names with which sources tell them.
var figures = map[string]figure{
	"consumer_up":               ofConsumer("consumer_up", "1 if the consumer is subscribed, or paused, and not wedged.", prom.GaugeValue),
	"consumer_handlers":         ofConsumer("consumer_handlers", "Handlers that run.", prom.GaugeValue),
	"consumer_handlers_limit":   ofConsumer("consumer_handlers_limit", "How many handlers may run at once.", prom.GaugeValue),
	"consumer_handlers_stuck":   ofConsumer("consumer_handlers_stuck", "Handlers past their timeout and grace.", prom.GaugeValue),
	"consumer_monitors_blocked": ofConsumer("consumer_monitors_blocked", "Calls of a monitor that do not return.", prom.GaugeValue),
	"consumer_unreadable":       ofConsumer("consumer_unreadable", "Messages held that the client cannot read, and that the broker might lose if they were rejected.", prom.GaugeValue),
	"consumer_refused":          ofConsumer("consumer_refused", "Messages held whose copies the broker refuses for good, and that it might lose if they were rejected.", prom.GaugeValue),
	"consumer_copies_blocked":   ofConsumer("consumer_copies_blocked", "Copies to a retry or error queue that the broker has not confirmed.", prom.GaugeValue),
	"consumer_slow":             ofConsumer("consumer_slow", "1 while a message that came back without an end is handled alone.", prom.GaugeValue),
	"consumer_stale_acks_total": ofConsumer("consumer_stale_acks_total", "Acks dropped because their session had ended; the broker delivers those messages again.", prom.CounterValue),
	"events_published_total":    newFigure("events_published_total", "Events that the broker has confirmed.", prom.CounterValue, "exchange"),
	"events_dropped_total":      newFigure("events_dropped_total", "Events that were dropped: the buffer was full, or the broker did not take them in time.", prom.CounterValue, "exchange"),
	"outbox_rows":               newFigure("outbox_rows", "Rows of the outbox in each state: waiting, delayed, held, failed, sent, done, parked.", prom.GaugeValue, "state"),
	"outbox_oldest_seconds":     newFigure("outbox_oldest_seconds", "How long the row has waited that was due first; 0 if none is due.", prom.GaugeValue),
	"outbox_published_total":    newFigure("outbox_published_total", "Rows of the outbox that the broker has confirmed to this process.", prom.CounterValue),
	"outbox_refused_total":      newFigure("outbox_refused_total", "Refusals of rows by the broker, several of one row perhaps.", prom.CounterValue),
	"outbox_given_up_total":     newFigure("outbox_given_up_total", "Rows that this process has given up after MaxAttempts.", prom.CounterValue),
	"outbox_relay_errors_total": newFigure("outbox_relay_errors_total", "Looks at the outbox, and publishes of it, that ended with an error of the database or the connection.", prom.CounterValue),
	"connection_up":             ofConnection("connection_up", "1 if the connection is up, 0 if it should be.", prom.GaugeValue),
	"connection_blocked":        ofConnection("connection_blocked", "1 while the broker takes no messages on it.", prom.GaugeValue),
	"connection_lost_total":     ofConnection("connection_lost_total", "How often the connection was lost.", prom.CounterValue),
}

// Describe implements prometheus.Collector.
func (w *watched) Describe(ch chan<- *prom.Desc) {
	for _, f := range figures {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector. Prometheus refuses a whole scrape in which a metric
// occurs twice or is invalid, and a panic here would end the process. So what has the same labels is
// shown once, at its worst, and what a source may not tell is left out.
func (w *watched) Collect(ch chan<- prom.Metric) {
	w.mu.Lock()
	sources := w.sources[:len(w.sources):len(w.sources)]
	w.mu.Unlock()
	seen := told{}
	for _, source := range sources {
		seen.ask(source, w.log)
	}
	for _, s := range seen {
		if m, err := prom.NewConstMetric(s.figure.desc, s.figure.kind, s.value, s.labels...); err == nil {
			ch <- m
		}
	}
}

// told is what sources have told, by name and labels.
type told map[string]series

type series struct {
	figure figure
	labels []string
	value  float64
}

// ask asks one source. What it has told before a panic counts.
func (t told) ask(source Source, log *slog.Logger) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("a source of metrics panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	source(func(name string, value float64, labels ...string) {
		f, known := figures[name]
		if !known {
			return
		}
		labels = slices.Clone(labels)
		for i := range labels {
			labels[i] = label(labels[i])
		}
		key := name + "\x00" + strings.Join(labels, "\x00")
		if before, there := t[key]; there {
			value = f.worse(before.value, value)
		}
		t[key] = series{f, labels, value}
	})
}

// worse returns the worse of two values: of what is up the lower, and of all else the higher.
func (f figure) worse(a, b float64) float64 {
	if f.isUp {
		return min(a, b)
	}
	return max(a, b)
}
