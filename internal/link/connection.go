// Package link keeps TCP connections to a broker alive. Its Connection is the
// [transport.Connection] that is made of amqp091-go.
//
// A link is one TCP connection over all its sessions. Its supervisor dials, waits for the end of
// the session, pauses, and dials again. Nothing of a session outlives it. The recovery of
// amqp091-go is not used: it starts delivery tags at 1 again, so that an ack of the old session
// would acknowledge another message.
package link

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Connection is two links, one to publish and one to consume, and dedicated ones on demand.
type Connection struct {
	policies             // immutable
	name, version string // immutable
	publishing    *link
	consuming     *link
	lazy          bool // immutable
	notices       Notices
	shared        *transport.Shared
	newLink       func(purpose string) *link

	mu        sync.Mutex // guards what is below
	dedicated map[*link]struct{}
	closed    bool
}

var _ transport.Connection = (*Connection)(nil)

// New makes a Connection. Each link connects at the first call of its Session.
func New(s Settings, log *slog.Logger) *Connection {
	s.share()
	c := &Connection{policies: newPolicies(&s), name: s.Name, version: s.Version, lazy: s.Lazy, dedicated: map[*link]struct{}{}, shared: transport.NewShared()}
	c.notices.Log = log
	c.newLink = func(purpose string) *link { return newLink(purpose, &s, log, c.notices.Post) }
	c.publishing = c.newLink("publish")
	c.consuming = c.newLink("consume")
	c.consuming.use = toConsume
	return c
}

// Name is the name of the application.
func (c *Connection) Name() string { return c.name }

// Version is the version of the application; "" if it is not known.
func (c *Connection) Version() string { return c.version }

// Lazy says whether starts succeed without a broker.
func (c *Connection) Lazy() bool { return c.lazy }

// Publishing is the link on which messages are published.
func (c *Connection) Publishing() transport.Link { return c.publishing }

// Consuming is the link on which messages are consumed and acked.
func (c *Connection) Consuming() transport.Link { return c.consuming }

// Dedicated makes a link that nobody else uses.
func (c *Connection) Dedicated(purpose string) transport.Link { return c.another(purpose, toPublish) }

// Reading is Dedicated for a user that only reads.
func (c *Connection) Reading(purpose string) transport.Link { return c.another(purpose, toRead) }

// ConsumingAlone is Dedicated for one consumer.
func (c *Connection) ConsumingAlone(purpose string) transport.Link {
	return c.another(purpose, toConsume)
}

func (c *Connection) another(purpose string, use use) *link {
	l := c.newLink(purpose)
	l.dedicated, l.use = true, use
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		l.abort()
		return l
	}
	c.dedicated[l] = struct{}{}
	context.AfterFunc(l.ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.dedicated, l)
	})
	return l
}

// Shared is what all consumers of the Connection share.
func (c *Connection) Shared() *transport.Shared { return c.shared }

// Notify calls f at each Event of a link, until stop is called.
func (c *Connection) Notify(f func(transport.Event)) (stop func()) { return c.notices.Add(f) }

// close lets no more links be made. It returns the open links in the order in which they are to be
// closed. The consuming one is first, because consumers settle a message after its copy is
// confirmed.
func (c *Connection) close() []*link {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return append(slices.Collect(maps.Keys(c.dedicated)), c.consuming, c.publishing)
}

// Stop closes all links. It returns when they are closed, or when ctx ends. If ctx has no deadline,
// the broker has 5 s to answer. Stop may be called twice.
func (c *Connection) Stop(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, l := range c.close() {
			l.Close(ctx)
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		c.Abort()
		return context.Cause(ctx)
	}
}

// Abort closes every socket without a word to the broker.
func (c *Connection) Abort() {
	for _, l := range c.close() {
		l.abort()
	}
}
