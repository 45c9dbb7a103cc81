package prometheus_test

import (
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
)

func BenchmarkMonitor(b *testing.B) {
	m, err := prometheus.New(prometheus.Config{Registerer: prom.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	d := monitoring.Delivery{Consumer: "orders", Queue: "orders", Attempt: 1, MaxRetries: 3, Timestamp: time.Now()}
	for _, bb := range []struct {
		name    string
		outcome monitoring.Outcome
	}{
		{"acked", monitoring.Outcome{Action: monitoring.Acked, Duration: time.Millisecond}},
		{"retried", monitoring.Outcome{Action: monitoring.Retried, Reason: monitoring.ReasonRetry, Duration: time.Millisecond}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				m.End(ctx, d, bb.outcome)
			}
		})
	}
}
