package consumer

import (
	"context"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// report tells the monitor what became of a delivery, after its settlement. The monitor is
// shielded: it can change nothing.
func (c *Consumer) report(ctx context.Context, d *received, s Settlement) {
	if c.monitor == (monitoring.Nop{}) {
		return
	}
	defer c.patience("End", d).over()
	c.monitor.End(context.WithoutCancel(ctx), d.Delivery, monitoring.Outcome{
		Action: s.Action, Reason: s.Reason, Err: s.Err, Stack: s.Stack, Group: s.Group, Delay: s.Delay, Duration: s.Duration,
	})
}

// begin tells the monitor that an attempt is about to begin.
func (c *Consumer) begin(ctx context.Context, d *received) context.Context {
	if c.monitor == (monitoring.Nop{}) {
		return ctx
	}
	defer c.patience("Begin", d).over()
	return c.monitor.Begin(ctx, d.Delivery)
}

// monitorPatience is how long a monitor may take before it is said to block.
const monitorPatience = 5 * time.Second

// patience makes it known when a call of the monitor does not return: it takes a slot from the handlers, and
// when all are taken the consumer does nothing more.
type patience struct {
	consumer *Consumer
	method   string
	delivery *received
	alarm    alarm
}

// patience begins with a call and is over after it.
func (c *Consumer) patience(method string, d *received) *patience {
	p, ok := c.patiences.Get().(*patience)
	if !ok {
		p = new(patience)
	}
	p.consumer, p.method, p.delivery = c, method, d
	p.alarm.set(monitorPatience, p)
	return p
}

func (p *patience) ring() {
	p.consumer.mute.Add(1)
	p.consumer.log.Error("monitor blocks", "method", p.method, "message_id", p.delivery.MessageID, "after", monitorPatience)
	p.consumer.poke()
}

func (p *patience) over() {
	if p.alarm.stop() {
		p.delivery = nil
		p.consumer.patiences.Put(p)
		return
	}
	p.consumer.mute.Add(-1)
	p.consumer.poke()
}
