package consumer

import "encoding/json"

// Health is the state of a Consumer at one moment.
type Health struct {
	Name  string
	Queue string

	// Ready says that it is subscribed, or Paused on purpose, and that not all its slots are taken by
	// handlers or monitors that do not return.
	Ready bool

	Subscribed      bool  // it takes messages
	Prefetch        int   // how many it takes ahead at present, if it does
	Paused          bool  // by Pause
	Stopping        bool  // by Stop
	Slow            bool  // the crash guard takes one message at a time
	Workers         int   // goroutines that run handlers, or wait to
	Running         int   // handlers that run now, stuck ones among them
	Stuck           int   // handlers past their timeout and grace
	CopiesBlocked   int   // copies to a retry or error queue that the broker does not take; their messages are held
	StaleAcks       int   // acks dropped because their session had ended; the broker delivers those again
	MonitorsBlocked int   // calls of the monitor that do not return; each takes a slot
	Err             error // why it is not subscribed
}

// MarshalJSON writes Err as text, for a health endpoint.
func (h Health) MarshalJSON() ([]byte, error) {
	type plain Health
	return json.Marshal(struct {
		plain
		Err string `json:",omitempty"`
	}{plain(h), errorText(h.Err)})
}

// wedged says whether no slot is left that could do anything.
func (c *Consumer) wedged() bool { return int(c.stuck.Load()+c.mute.Load()) >= c.spec.Concurrency }

// Health tells the Consumer's state.
func (c *Consumer) Health() Health {
	h := Health{
		Name: c.spec.Name, Queue: c.spec.Queue,
		Subscribed: c.ready.Load(), Paused: c.paused.Load(), Stopping: c.stopping.Load(), Slow: c.slow.Load(),
		Prefetch: int(c.prefetch.Load()), Workers: int(c.workers.Load()), Running: int(c.running.Load()), Stuck: int(c.stuck.Load()),
		CopiesBlocked: int(c.blocked.Load()), MonitorsBlocked: int(c.mute.Load()), StaleAcks: int(c.stale.Load()),
	}
	c.mu.Lock()
	h.Err = c.lastErr
	c.mu.Unlock()
	if c.conn != nil && !h.Subscribed {
		if link := c.where().Health(); !link.Connected && link.Err != nil {
			h.Err = link.Err // what run knows is older
		}
	}
	h.Ready = (h.Subscribed || h.Paused && h.Err == nil) && !h.Stopping && !c.wedged() && !(h.Slow && h.Stuck > 0)
	return h
}
