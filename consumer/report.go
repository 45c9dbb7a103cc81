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

// monitorLimit is how long a call of the monitor may take until it counts as blocked.
const monitorLimit = 5 * time.Second

// reporter tells the monitor about deliveries. The monitor is shielded, so its panics change
// nothing. A call that does not return takes a slot from the handlers. When all slots are taken the
// consumer takes no more messages.
type reporter struct {
	monitor monitoring.Monitor // immutable
	rules   *decide.Rules      // immutable
	log     *slog.Logger       // immutable
	control *control           // immutable
	release func(*received)    // immutable: the gate and the token wait for the delivery no longer
	stages  *stages            // immutable
	calls   watchdog.Watchdog  // watches the calls under way
	spare   sync.Pool          // of *monitorCall, to save an allocation for each call
}

// begin tells the monitor that an attempt is about to begin. It returns the handler's context.
func (r *reporter) begin(ctx context.Context, d *received, now time.Time) context.Context {
	if r.monitor == (monitoring.Nop{}) {
		return ctx
	}
	defer r.watch("Begin", d, now).end()
	return r.monitor.Begin(ctx, d.facts.Delivery(r.rules))
}

// end tells the monitor what became of a delivery. It is called after the delivery was settled.
func (r *reporter) end(ctx context.Context, d *received, s decide.Settlement) {
	if !r.tells(s.Outcome) {
		return
	}
	defer r.watch("End", d, time.Now()).end()
	if ctx == r.stages.handlers { // which most monitors return from Begin
		ctx = r.stages.base
	} else {
		ctx = context.WithoutCancel(ctx)
	}
	r.monitor.End(ctx, d.facts.Delivery(r.rules), s.Outcome)
}

// tells returns whether end calls the monitor for this outcome.
func (r *reporter) tells(o monitoring.Outcome) bool {
	return o.Action != 0 && r.monitor != (monitoring.Nop{})
}

// monitorCall is a call of the monitor under way. It is immutable meanwhile, but for the Operation.
type monitorCall struct {
	watchdog.Operation

	reporter *reporter
	method   string
	delivery *received
}

// watch watches a call of the monitor from now on. end must follow.
func (r *reporter) watch(method string, d *received, now time.Time) *monitorCall {
	m, ok := r.spare.Get().(*monitorCall)
	if !ok {
		m = new(monitorCall)
	}
	m.reporter, m.method, m.delivery = r, method, d
	r.calls.Begin(&m.Operation, m, now)
	return m
}

// Expired is called by the watchdog when the call has not returned within monitorLimit.
func (m *monitorCall) Expired() {
	m.reporter.log.Error("monitor blocks", "method", m.method, "message_id", m.delivery.loggedID(), "after", monitorLimit)
	m.reporter.control.update(func(w *wanted) { w.blocked++ })
	m.reporter.release(m.delivery)
}

// end is called when the call has returned. A call that has expired frees its slot again.
func (m *monitorCall) end() {
	if m.reporter.calls.End(&m.Operation) {
		m.delivery = nil
		m.reporter.spare.Put(m)
		return
	}
	m.reporter.control.update(func(w *wanted) { w.blocked-- })
}
