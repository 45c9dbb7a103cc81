package sentry_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
)

// accepting answers every request at once.
type accepting struct{}

func (accepting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// BenchmarkMonitor is what an attempt costs. Events that come faster than they are sent are
// dropped.
func BenchmarkMonitor(b *testing.B) {
	d := monitoring.Delivery{Consumer: "orders", Queue: "orders", MessageID: "m-1", Attempt: 1, MaxRetries: 3}
	for _, bb := range []struct {
		name    string
		outcome monitoring.Outcome
	}{
		{"acked", monitoring.Outcome{Action: monitoring.Acked, Duration: time.Millisecond}},
		{"parked", monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: errors.New("no such order"), Duration: time.Millisecond}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			m, err := sentry.New(sentry.Config{DSN: "http://key@127.0.0.1:1/1", Transport: accepting{}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := m.Close(ended()); err != nil {
					b.Log(err) // what had not been sent
				}
			})
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				m.End(ctx, d, bb.outcome)
			}
		})
	}
}
