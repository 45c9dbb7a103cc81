package consumer

import (
	"context"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// report tells the monitor what became of a delivery, after its settlement. The monitor is
// shielded: it can change nothing.
func (c *Consumer) report(ctx context.Context, d *received, s Settlement) {
	defer c.watchMonitor("End", d)()
	c.monitor.End(context.WithoutCancel(ctx), d.Delivery, monitoring.Outcome{
		Action: s.Action, Reason: s.Reason, Err: s.Err, Stack: s.Stack, Group: s.Group, Delay: s.Delay, Duration: s.Duration,
	})
}

// begin tells the monitor that an attempt is about to begin.
func (c *Consumer) begin(ctx context.Context, d *received) context.Context {
	defer c.watchMonitor("Begin", d)()
	return c.monitor.Begin(ctx, d.Delivery)
}

// monitorPatience is how long a monitor may take before it is said to block.
const monitorPatience = 5 * time.Second

// watchMonitor makes it known when a call of the monitor does not return: it takes a slot from the handlers, and
// when all are taken the consumer does nothing more. What it returns is to be called after the call.
func (c *Consumer) watchMonitor(method string, d *received) (done func()) {
	if c.monitor == (monitoring.Nop{}) {
		return func() {}
	}
	timer := time.AfterFunc(monitorPatience, func() {
		c.mute.Add(1)
		c.log.Error("monitor blocks", "method", method, "message_id", d.MessageID, "after", monitorPatience)
		c.poke()
	})
	return func() {
		if !timer.Stop() {
			c.mute.Add(-1)
			c.poke()
		}
	}
}
