package prometheus

import (
	"context"
	"fmt"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Monitor keeps the metrics. Make it with New.
type Monitor struct {
	registerer prom.Registerer
	watched    *watched

	deliveries *prom.CounterVec
	duration   *prom.HistogramVec
	age        *prom.HistogramVec
	attempts   *prom.HistogramVec
}

var _ monitoring.Monitor = (*Monitor)(nil)

// New makes a Monitor and registers its metrics. The error names the field that is wrong, or the
// metric that is registered already.
func New(cfg Config) (*Monitor, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	histogram := func(name, help string, buckets []float64) *prom.HistogramVec {
		return prom.NewHistogramVec(prom.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"consumer", "action"})
	}
	m := &Monitor{
		registerer: cfg.Registerer, watched: &watched{log: cfg.Logger},
		deliveries: prom.NewCounterVec(prom.CounterOpts{Name: "bunnicula_deliveries_total", Help: "Settled deliveries."}, []string{"consumer", "action", "reason"}),
		duration:   histogram("bunnicula_handler_duration_seconds", "How long handlers ran.", cfg.DurationBuckets),
		age:        histogram("bunnicula_message_age_seconds", "Time from a message's publish, or from when it was due or redriven, to its ack or the error queue.", cfg.AgeBuckets),
		attempts:   histogram("bunnicula_message_attempts", "Attempts that messages took until their ack or the error queue.", cfg.AttemptBuckets),
	}
	for i, c := range m.collectors() {
		if err := m.registerer.Register(c); err != nil {
			for _, registered := range m.collectors()[:i] {
				m.registerer.Unregister(registered)
			}
			return nil, fmt.Errorf("prometheus: register: %w", err)
		}
	}
	return m, nil
}

func (m *Monitor) collectors() []prom.Collector {
	return []prom.Collector{m.deliveries, m.duration, m.age, m.attempts, m.watched}
}

// Close removes the metrics from their registry, so that another Monitor can be made.
func (m *Monitor) Close() {
	for _, c := range m.collectors() {
		m.registerer.Unregister(c)
	}
}

// Begin does nothing.
func (m *Monitor) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

// End counts the delivery and observes its times.
func (m *Monitor) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	consumer, action := label(d.Consumer), o.Action.String()
	m.deliveries.WithLabelValues(consumer, action, label(string(o.Reason))).Inc()
	if o.Duration > 0 {
		m.duration.WithLabelValues(consumer, action).Observe(o.Duration.Seconds())
	}
	if o.Action != monitoring.Acked && o.Action != monitoring.Parked {
		return
	}
	m.attempts.WithLabelValues(consumer, action).Observe(float64(d.Attempt))
	if at := foreign.Known(d.Since); !at.IsZero() {
		m.age.WithLabelValues(consumer, action).Observe(max(0, time.Since(at).Seconds()))
	}
}

// Forget removes what was counted of a consumer that was removed, so that a process in which
// consumers come and go does not keep series of all that ever were. Call it when
// consumer.Group.Remove has returned. What is counted later, also of another consumer of that name,
// begins at 0, which Prometheus takes for a restart.
func (m *Monitor) Forget(consumer string) {
	gone := prom.Labels{"consumer": label(consumer)}
	m.deliveries.DeletePartialMatch(gone)
	for _, h := range []*prom.HistogramVec{m.duration, m.age, m.attempts} {
		h.DeletePartialMatch(gone)
	}
}

// label returns a name as a label's value. Prometheus refuses one that is not UTF-8, by a panic.
func label(name string) string {
	const longest = 255 // bytes of a queue's name
	return foreign.Cut(name, longest)
}
