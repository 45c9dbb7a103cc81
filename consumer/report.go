package consumer

import (
	"context"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// report tells the monitor what became of a delivery, after its settlement. The monitor is
// shielded: it can change nothing.
func (c *Consumer) report(ctx context.Context, d *received, s Settlement) {
	c.monitor.End(context.WithoutCancel(ctx), d.Delivery, monitoring.Outcome{
		Action: s.Action, Reason: s.Reason, Err: s.Err, Stack: s.Stack, Group: s.Group, Delay: s.Delay, Duration: s.Duration,
	})
}
