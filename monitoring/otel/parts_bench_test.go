package otel_test

import (
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/otel"
)

// BenchmarkMonitor is an attempt with its span and its metrics. No exporter takes the spans.
func BenchmarkMonitor(b *testing.B) {
	d := monitoring.Delivery{
		Consumer: "orders", Queue: "orders", RoutingKey: "orders", MessageID: "m-1", Attempt: 1, MaxRetries: 3,
		Headers: map[string]any{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	}
	for _, bb := range []struct {
		name    string
		sampler sdk.Sampler
		outcome monitoring.Outcome
	}{
		{"acked", sdk.AlwaysSample(), monitoring.Outcome{Action: monitoring.Acked, Duration: time.Millisecond}},
		{"acked, not sampled", sdk.NeverSample(), monitoring.Outcome{Action: monitoring.Acked, Duration: time.Millisecond}},
		{"retried", sdk.AlwaysSample(), monitoring.Outcome{
			Action: monitoring.Retried, Reason: monitoring.ReasonRetry, Err: errors.New("mail server is down"), Delay: time.Minute,
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			m, err := otel.New(otel.Config{
				TracerProvider: sdk.NewTracerProvider(sdk.WithSampler(bb.sampler)),
				MeterProvider:  metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())),
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				m.End(m.Begin(ctx, d), d, bb.outcome)
			}
		})
	}
}
