package consumer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/consumer/internal/watchdog"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// monitorLimit is how long a call of the monitor may take before it counts as blocked.
const monitorLimit = 5 * time.Second

// reporter tells the monitor. The monitor is shielded: it can change nothing. A call that does not return
// takes a slot from the handlers, and when all slots are taken the consumer takes nothing more.
type reporter struct {
	monitor monitoring.Monitor // immutable
	log     *slog.Logger
	control *control
	calls   watchdog.Watchdog
	spare   sync.Pool // of *monitorCall
}

// begin tells the monitor that an attempt is about to begin.
func (r *reporter) begin(ctx context.Context, d *received) context.Context {
	if r.monitor == (monitoring.Nop{}) {
		return ctx
	}
	defer r.watch("Begin", d).end()
	return r.monitor.Begin(ctx, d.facts.Delivery)
}

// end tells the monitor what became of a delivery, after its settlement.
func (r *reporter) end(ctx context.Context, d *received, s decide.Settlement) {
	if s.Outcome.Action == 0 || r.monitor == (monitoring.Nop{}) {
		return
	}
	defer r.watch("End", d).end()
	r.monitor.End(context.WithoutCancel(ctx), d.facts.Delivery, s.Outcome)
}

// monitorCall is a call of the monitor under way.
type monitorCall struct {
	watchdog.Operation

	reporter *reporter
	method   string
	delivery *received
}

// watch begins with a call. end must follow.
func (r *reporter) watch(method string, d *received) *monitorCall {
	m, ok := r.spare.Get().(*monitorCall)
	if !ok {
		m = new(monitorCall)
	}
	m.reporter, m.method, m.delivery = r, method, d
	r.calls.Begin(&m.Operation, m, time.Now())
	return m
}

// Expired is the watchdog's.
func (m *monitorCall) Expired() {
	m.reporter.log.Error("monitor blocks", "method", m.method, "message_id", m.delivery.id(), "after", monitorLimit)
	m.reporter.control.update(func(w *wanted) { w.blocked++ })
}

func (m *monitorCall) end() {
	if m.reporter.calls.End(&m.Operation) {
		m.delivery = nil
		m.reporter.spare.Put(m)
		return
	}
	m.reporter.control.update(func(w *wanted) { w.blocked-- })
}
