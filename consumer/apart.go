package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// A message that the client library cannot read ends the TCP connection at each delivery, for all
// consumers that share it, and cannot tell whose queue it came from. So each of them takes its next session
// from a connection of its own. There one of them meets the message again and again, alone with it, until the
// queue's limit of deliveries parks it; the others work on, and go back to the shared connection
// when their session ends.

// moveAfter chooses the connection that the next session comes from.
func (c *Consumer) moveAfter(ended transport.Session) {
	unreadable := errors.Is(ended.Err(), transport.ErrUnreadable)
	if unreadable == c.apart.Load() {
		return
	}
	c.mu.Lock()
	before := c.link
	if unreadable {
		c.log.Warn("a message that the client cannot read ended the connection; this consumer goes on with one of its own", "err", ended.Err())
		c.link = c.conn.Dedicated("consume " + c.spec.Queue)
	} else {
		c.link = c.conn.Consuming()
	}
	c.mu.Unlock()
	c.apart.Store(unreadable)
	if !unreadable {
		hangUp(before)
	}
}

// leaveApart closes a connection of our own when the consumer ends.
func (c *Consumer) leaveApart() {
	if c.apart.Load() {
		hangUp(c.where())
	}
}

func hangUp(l transport.Link) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.Close(ctx)
}

// where is the connection that sessions come from at present.
func (c *Consumer) where() transport.Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link
}
