package monitoring_test

import (
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

func BenchmarkLog(b *testing.B) {
	d := monitoring.Delivery{Consumer: "orders", Queue: "orders", MessageID: "m-1", Attempt: 1, MaxRetries: 3}
	ack := monitoring.Outcome{Action: monitoring.Acked, Duration: time.Millisecond}
	retry := monitoring.Outcome{
		Action: monitoring.Retried, Reason: monitoring.ReasonRetry, Err: errors.New("mail server is down"), Group: "f00dcafe",
		Delay: time.Minute, Duration: time.Millisecond,
	}
	for _, bb := range []struct {
		name    string
		level   slog.Level
		outcome monitoring.Outcome
	}{
		{"acked below the level", slog.LevelInfo, ack},
		{"acked", slog.LevelDebug, ack},
		{"retried", slog.LevelInfo, retry},
	} {
		b.Run(bb.name, func(b *testing.B) {
			m := monitoring.Log{Logger: slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: bb.level}))}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				m.End(ctx, d, bb.outcome)
			}
		})
	}
}
