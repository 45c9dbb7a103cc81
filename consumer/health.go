package consumer

import (
	"encoding/json"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Health is the state of a Consumer at one moment. It is a value.
type Health struct {
	Name       string // Spec.Name
	Queue      string // the main queue
	Connection string // Spec.Connection, "" for the app's own

	// Ready says that the consumer does its work: it is subscribed, or Paused without an error; it
	// is not Stopping; stuck handlers and blocked monitor calls do not take all its slots; and it
	// holds no unreadable or refused message.
	Ready bool

	Subscribed bool // the consumer takes messages
	Prefetch   int  // the prefetch of its last subscription; see Spec.Prefetch
	Paused     bool // Pause was called, or an Order pauses the consumer
	Stopping   bool // Stop was called
	Slow       bool // no handler starts, because the crash guard has a message handled alone
	Workers    int  // goroutines that run handlers, idle ones included
	Running    int  // messages that workers handle now, those of stuck handlers included
	Stuck      int  // handlers past their timeout and grace; each takes a slot
	Limit      int  // how many handlers may run at once: Spec.Concurrency, or less by Limit or an Order

	// PausedByOrder says that an Order pauses the consumer, whatever the application says. See
	// [Consumer.Obey].
	PausedByOrder bool `json:",omitempty"`
	// OrderedWhy is the Why of the Order that pauses or limits the consumer. It is "" if none does.
	OrderedWhy string `json:",omitempty"`

	// CopiesBlocked is how many copies, to a retry or error queue for example, the broker has not
	// confirmed within 2 s or has refused. Their messages are held, unacked.
	CopiesBlocked int
	// Unreadable is how many messages are held because the client cannot read their headers, and
	// because the broker could lose them if they were rejected. See docs/OPERATIONS.md.
	Unreadable int
	// Refused is how many messages are held because the broker refuses their copies for good, and
	// because it could lose them if they were rejected. A body above a max_message_size that was
	// lowered is refused, for example. See docs/OPERATIONS.md.
	Refused int
	// StaleAcks is how many acks were dropped so far because their session had ended. The broker
	// delivers those messages again.
	StaleAcks int
	// MonitorsBlocked is how many calls of the monitor have not returned within 5 s. Each takes a
	// slot.
	MonitorsBlocked int
	// Problems are settings of the consumer's queues, of policies too, with which messages are lost
	// or delayed, as of some minutes ago. They are found if connection.Config.Management is set,
	// and do not change Ready.
	Problems []string `json:",omitempty"`
	// Err is why the consumer is not subscribed, or that it holds unreadable or refused messages,
	// with the id of the first and why. It is nil if neither is so.
	Err error
}

// MarshalJSON writes Err as text of at most 2 KiB, for a health endpoint.
func (h Health) MarshalJSON() ([]byte, error) {
	type plain Health
	return json.Marshal(struct {
		plain
		Err string `json:",omitempty"`
	}{plain(h), foreign.Text(h.Err, 2<<10)})
}

// Health returns the state of the Consumer. It asks nothing of the broker.
func (c *Consumer) Health() Health {
	g, w := c.gauges, c.control.get()
	h := Health{
		Name: c.spec.Name, Queue: c.spec.Queue, Connection: c.spec.Connection,
		Subscribed: g.subscribed.Load(), Paused: w.isPaused(), Stopping: w.stopping, Slow: g.alone.Load(),
		Prefetch: int(g.prefetch.Load()), Workers: int(g.workers.Load()), Running: int(g.running.Load()), Stuck: w.stuck,
		Limit: w.limit(), PausedByOrder: w.order.Paused,
		CopiesBlocked: int(g.copies.Load()), MonitorsBlocked: w.blocked, StaleAcks: int(g.stale.Load()),
		Problems: c.settler.policies.found(), Err: g.lastErr(),
	}
	if w.order.wants() {
		h.OrderedWhy = w.order.Why
	}
	if c.conn != nil && !h.Subscribed {
		link, _ := c.supervisor.attachment.link()
		if now := link.Health(); !now.Connected && now.Err != nil {
			h.Err = now.Err // newer than what the supervisor knows
		}
	}
	var held error
	if h.Unreadable, h.Refused, held = g.held.look(h.Queue); h.Err == nil {
		h.Err = held
	}
	h.Ready = (h.Subscribed || h.Paused && h.Err == nil) && !h.Stopping && !w.wedged() && held == nil
	return h
}
