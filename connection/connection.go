package connection

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Connection is one logical connection to a broker: two TCP connections, one to
// publish and one to consume, each opened when it is first needed and kept alive.
// It is safe for use by many goroutines at once.
type Connection struct {
	name, version string
	publishing    *Link
	consuming     *Link
	notices       notices
	newLink       func(purpose string) *Link

	mu     sync.Mutex
	apart  map[*Link]struct{} // of Apart, not closed yet
	closed bool
}

// New checks the Config and makes a Connection. It does not connect yet: what uses
// it does. A nil logger means slog.Default(). The error names the field that is wrong.
func New(cfg Config, log *slog.Logger) (*Connection, error) {
	r, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.Default()
	}
	c := &Connection{name: r.Name, version: r.Version}
	c.notices.log = log
	c.newLink = func(purpose string) *Link { return newLink(purpose, r, log, c.notices.post) }
	c.publishing = c.newLink("publish")
	c.consuming = c.newLink("consume")
	c.apart = map[*Link]struct{}{}
	return c, nil
}

// Name is the Config's, or the program's.
func (c *Connection) Name() string { return c.name }

// Version is the app's: the Config's, or the program's; "" if it is not known.
func (c *Connection) Version() string { return c.version }

// Publishing is the TCP connection that messages are sent on.
func (c *Connection) Publishing() *Link { return c.publishing }

// Consuming is the TCP connection that messages are received and acked on.
func (c *Connection) Consuming() *Link { return c.consuming }

// Apart makes one more TCP connection, for who must not share one: see [ErrUnreadable]. It lasts until
// its Close, or the Connection's Stop.
func (c *Connection) Apart(purpose string) *Link { return c.apartFrom(purpose, false) }

// Legible is Apart, and no header of a message ends the connection: those that the client library cannot read, because they are nested more than 32
// deep, come as [HeaderIllegible]. It is for who looks at messages and may not lose them: a copy of such a message is not what it was.
func (c *Connection) Legible(purpose string) *Link { return c.apartFrom(purpose, true) }

func (c *Connection) apartFrom(purpose string, legible bool) *Link {
	l := c.newLink(purpose)
	l.alone, l.legible = true, legible
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		l.abort()
		return l
	}
	c.apart[l] = struct{}{}
	context.AfterFunc(l.ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.apart, l)
	})
	return l
}

// links are all that may be open, in the order in which they are to be closed: consumers have settled by
// then, and publishing goes last, as their copies did. No more can be made.
func (c *Connection) links() []*Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return append(slices.Collect(maps.Keys(c.apart)), c.consuming, c.publishing)
}

// Ready waits until every TCP connection that is in use is up; if none is in use
// yet it opens the one to publish. Its errors are those of [Link.Session].
func (c *Connection) Ready(ctx context.Context) error {
	h := c.Health()
	if h.Publishing.Used || !h.Consuming.Used {
		if _, err := c.publishing.Session(ctx); err != nil {
			return err
		}
	}
	if h.Consuming.Used {
		if _, err := c.consuming.Session(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop closes all TCP connections and ends every session. It returns when that is
// done, at the latest when ctx ends; without a deadline it gives the broker 5 s to
// answer. Stop may be called twice.
func (c *Connection) Stop(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, l := range c.links() {
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
	for _, l := range c.links() {
		l.abort()
	}
}

// Health is the state of a Connection at one moment.
type Health struct {
	Publishing LinkHealth
	Consuming  LinkHealth
}

// OK says that whatever is in use is connected and not blocked.
func (h Health) OK() bool { return h.Publishing.ok() && h.Consuming.ok() }

// LinkHealth is the state of one TCP connection.
type LinkHealth struct {
	Used      bool      // something has asked for it
	Connected bool      // it is up
	Since     time.Time // the last change between up and down
	Addr      string    // host:port, while it is up
	Blocked   string    // the broker's reason for taking no messages; "" is not blocked
	Lost      int       // how often it was lost
	Err       error     // why it is not up
}

// MarshalJSON writes Err as text, for a health endpoint.
func (h LinkHealth) MarshalJSON() ([]byte, error) {
	type plain LinkHealth
	return json.Marshal(struct {
		plain
		Err string `json:",omitempty"`
	}{plain(h), errorText(h.Err)})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (h LinkHealth) ok() bool { return !h.Used || h.Connected && h.Blocked == "" }

// Health tells the state of both TCP connections.
func (c *Connection) Health() Health {
	return Health{Publishing: c.publishing.Health(), Consuming: c.consuming.Health()}
}
