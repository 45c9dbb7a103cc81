package consumer

import (
	"encoding/json"
	"fmt"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

// Health is the state of a Consumer at one moment.
type Health struct {
	Name  string
	Queue string

	// Ready says that it is subscribed, or Paused on purpose, that not all its slots are taken by
	// handlers or monitors that do not return, and that it holds no message that cannot be read.
	Ready bool

	Subscribed      bool  // it takes messages
	Prefetch        int   // how many it takes ahead at present, if it does
	Paused          bool  // by Pause
	Stopping        bool  // by Stop
	Slow            bool  // the crash guard handles one message alone
	Workers         int   // goroutines that run handlers, or wait to
	Running         int   // handlers that run now, stuck ones among them
	Stuck           int   // handlers past their timeout and grace
	CopiesBlocked   int   // copies to a retry or error queue that the broker does not take; their messages are held
	Unreadable      int   // messages held that the client cannot read, and that the broker might lose if they were rejected
	StaleAcks       int   // acks dropped because their session had ended; the broker delivers those again
	MonitorsBlocked int   // calls of the monitor that do not return; each takes a slot
	Err             error // why it is not subscribed, or holds what it cannot read
}

// MarshalJSON writes Err as text, for a health endpoint.
func (h Health) MarshalJSON() ([]byte, error) {
	type plain Health
	return json.Marshal(struct {
		plain
		Err string `json:",omitempty"`
	}{plain(h), decide.ErrorText(h.Err)})
}

// Health tells the Consumer's state.
func (c *Consumer) Health() Health {
	g, w := c.gauges, c.control.get()
	h := Health{
		Name: c.spec.Name, Queue: c.spec.Queue,
		Subscribed: g.subscribed.Load(), Paused: w.paused, Stopping: w.stopping, Slow: g.alone.Load(),
		Prefetch: int(g.prefetch.Load()), Workers: int(g.workers.Load()), Running: int(g.running.Load()), Stuck: w.stuck,
		CopiesBlocked: int(g.copies.Load()), Unreadable: int(g.unreadable.Load()),
		MonitorsBlocked: w.blocked, StaleAcks: int(g.stale.Load()), Err: g.lastErr(),
	}
	if c.conn != nil && !h.Subscribed {
		link, _ := c.supervisor.attachment.link()
		if now := link.Health(); !now.Connected && now.Err != nil {
			h.Err = now.Err // what the supervisor knows is older
		}
	}
	if h.Unreadable > 0 && h.Err == nil {
		h.Err = fmt.Errorf("%d messages of queue %q cannot be read and are held: the queue does not dead-letter at least once", h.Unreadable, h.Queue)
	}
	h.Ready = (h.Subscribed || h.Paused && h.Err == nil) && !h.Stopping && !w.wedged() && h.Unreadable == 0
	return h
}
