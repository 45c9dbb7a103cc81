package consumer

import (
	"fmt"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// lateCopy is how long the confirm of a copy may take before it is said to be held.
const lateCopy = 2 * time.Second

// noConfirm is why there is none, as far as it is known.
func (c *Consumer) noConfirm() error {
	switch h := c.conn.Publishing().Health(); {
	case h.Blocked != "":
		return fmt.Errorf("the broker takes no messages (%s)", h.Blocked)
	case h.Err != nil:
		return fmt.Errorf("not connected (%w)", h.Err)
	}
	return fmt.Errorf("not confirmed for %s", lateCopy)
}

// hold makes it known, once, that a message is held because its copy cannot be placed.
type hold struct {
	consumer *Consumer
	env      *sending.Envelope

	mu          sync.Mutex
	known, done bool
}

func (h *hold) because(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known || h.done {
		return
	}
	h.known = true
	h.consumer.blocked.Add(1)
	h.consumer.log.Warn("copy not placed, holding the message",
		"message_id", h.env.MessageId, "to", h.env.RoutingKey, "exchange", h.env.Exchange, "err", err)
}

// over is the end of it: the copy is placed, or the session has ended.
func (h *hold) over() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known {
		h.consumer.blocked.Add(-1)
	}
	h.done = true
}
