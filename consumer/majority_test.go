package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// The first message of a channel to a queue without majority holds the channel for 65 s. A consumer
// publishes all its copies through one pipeline.
func TestCopiesDoNotWaitForARetryQueueWithoutMajority(t *testing.T) {
	o := usual
	o.Faults = func(s simulated.Step) simulated.Fault {
		if s.Kind == "publish" && s.Queue == "orders-retry-1h" {
			return simulated.Fault{Kind: simulated.HoldChannel, For: 65 * time.Second}
		}
		return simulated.Fault{}
	}
	inLab(t, o, func(l *lab) {
		c := l.start(l.process("worker"), consumer.Spec{
			Queue: "orders", Concurrency: 8, Prefetch: 300, Backoff: []time.Duration{30 * time.Minute, time.Hour},
			Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				if strings.HasPrefix(d.MessageID, "dead") {
					return consumer.RetryAfter(time.Hour, errors.New("down"))
				}
				return consumer.Retry(errors.New("down"))
			},
		})
		const n = 100
		for i := range n {
			if i%2 == 0 {
				l.publish("orders", fmt.Sprint("dead", i))
			}
			l.publish("orders", fmt.Sprint("healthy", i))
			l.wait(1500*time.Millisecond, "in its retry queue", func() bool {
				ready, _, _ := l.sim.Depth("orders-retry-30m")
				return ready == i+1
			})
			time.Sleep(100 * time.Millisecond)
		}
		if h := c.Health(); !h.Ready {
			t.Errorf("health is %+v", h)
		}
		l.wait(2*time.Hour, "in its retry queue", func() bool {
			ready, _, _ := l.sim.Depth("orders-retry-1h")
			return ready >= n/2
		})
	})
}
