package statsd

import (
	"errors"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// dropped is a sender that drops packets.
type dropped struct{}

func (dropped) Send(packet []byte) (int, error) { return len(packet), nil }
func (dropped) Close() error                    { return nil }

func BenchmarkMonitor(b *testing.B) {
	d := monitoring.Delivery{Consumer: "orders", Queue: "orders", Attempt: 1, MaxRetries: 3}
	for _, bb := range []struct {
		name    string
		outcome monitoring.Outcome
	}{
		{"acked", monitoring.Outcome{Action: monitoring.Acked, Duration: time.Millisecond}},
		{"parked", monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: errors.New("no such order"), Duration: time.Millisecond}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			m, err := newMonitor(Config{Prefix: "shop", SampleRate: 1, FlushInterval: 300 * time.Millisecond}, dropped{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := m.Close(); err != nil {
					b.Error(err)
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
