package consumer_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// A monitor that does not return takes the slot that called it. Nothing is lost by that, it is
// seen, and it is over when the monitor goes on.
func TestAMonitorThatBlocksIsSeenAndLosesNothing(t *testing.T) {
	for name, result := range map[string]consumer.Result{"acked": consumer.Ack(), "retried": consumer.Retry(nil)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			queue := amqptest.Queue(t, "mute")
			release := make(chan struct{})
			var told atomic.Int32
			block := func(context.Context, monitoring.Delivery, monitoring.Outcome) { <-release; told.Add(1) }
			monitor := monitoring.Callbacks{OnSuccess: block, OnRetry: block}
			const concurrency, prefetch, messages = 2, 4, 30
			spec := consumer.Spec{Queue: queue, Concurrency: concurrency, Prefetch: prefetch, Backoff: []time.Duration{time.Hour}, Handler: always(result)}
			c, err := consumer.New(r.conn, spec, monitor, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.stop(c) })
			if err := c.Start(r.ctx); err != nil {
				t.Fatal(err)
			}
			for range messages {
				r.publish(queue, "x")
			}
			amqptest.Eventually(t, 20*time.Second, func() bool { h := c.Health(); return h.MonitorsBlocked >= concurrency && !h.Ready && !h.Subscribed },
				"the blocked monitor is not seen, health is %+v", c.Health())
			const most = concurrency + prefetch + concurrency
			amqptest.Eventually(t, 5*time.Second, func() bool { return messages-amqptest.Depth(t, queue) <= most }, // what was given back is on its way
				"more than %d messages were settled while the monitor blocked", most)
			close(release)
			amqptest.Eventually(t, 20*time.Second, func() bool { return c.Health().Ready && told.Load() == messages }, "it does not go on, health is %+v", c.Health())
			r.stop(c)
			waiting := messages
			if result.Acked() {
				waiting = 0
			}
			depths(t, map[string]int{queue: 0, queue + "-error": 0, queue + "-retry-1h": waiting})
		})
	}
}
