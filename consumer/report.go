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
	defer c.watch("End", d).over()
	c.monitor.End(context.WithoutCancel(ctx), d.Delivery, monitoring.Outcome{
		Action: s.Action, Reason: s.Reason, Err: s.Err, Stack: s.Stack, Group: s.Group, Delay: s.Delay, Duration: s.Duration,
	})
}

// begin tells the monitor that an attempt is about to begin.
func (c *Consumer) begin(ctx context.Context, d *received) context.Context {
	if c.monitor == (monitoring.Nop{}) {
		return ctx
	}
	defer c.watch("Begin", d).over()
	return c.monitor.Begin(ctx, d.Delivery)
}

// monitorPatience is how long a monitor may take before it is said to block.
const monitorPatience = 5 * time.Second

// monitorCall makes it known when a call of the monitor does not return: it takes a slot from the handlers, and
// when all are taken the consumer does nothing more.
type monitorCall struct {
	underway

	consumer *Consumer
	method   string
	delivery *received
}

// watch begins with a call and is over after it.
func (c *Consumer) watch(method string, d *received) *monitorCall {
	m, ok := c.monitorCalls.Get().(*monitorCall)
	if !ok {
		m = new(monitorCall)
	}
	m.consumer, m.method, m.delivery = c, method, d
	c.monitorPatience.begin(&m.underway, m, time.Now())
	return m
}

func (m *monitorCall) ring() {
	m.consumer.mute.Add(1)
	m.consumer.log.Error("monitor blocks", "method", m.method, "message_id", m.delivery.MessageID, "after", monitorPatience)
	m.consumer.poke()
}

func (m *monitorCall) over() {
	if m.consumer.monitorPatience.over(&m.underway) {
		m.delivery = nil
		m.consumer.monitorCalls.Put(m)
		return
	}
	m.consumer.mute.Add(-1)
	m.consumer.poke()
}
