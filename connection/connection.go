package connection

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/link"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Connection is one logical connection to a broker: two TCP connections, one to publish and one to
// consume. Each is opened when it is first needed, and reopened when it is lost. A Connection is
// safe for use by many goroutines at once.
type Connection struct {
	transport transport.Connection // immutable

	raw  transport.Link // for Channel; made at its first call
	once sync.Once      // makes raw
}

// New checks the Config and makes a Connection. It does not connect: the first user does. A nil
// logger means slog.Default(). The error has a line for each field that is wrong.
func New(cfg Config, log *slog.Logger) (*Connection, error) {
	r, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	log = applog.First(log)
	if note := r.note(); note != "" && r.unset != "" {
		log.Info("no URL is set", "connection", r.Name, "variable", r.unset, "url", shownDefault)
	}
	return Over(link.New(r.settings(), log)), nil
}

// Over makes a Connection of another transport than that of New. Only this module can have one:
// package brokertest puts a broker in memory behind a Connection.
func Over(t transport.Connection) *Connection { return &Connection{transport: t} }

// Transport is for the other packages of this module. Its type is internal.
func (c *Connection) Transport() transport.Connection { return c.transport }

// Name is the Config's, or the program's.
func (c *Connection) Name() string { return c.transport.Name() }

// Version is the Config's, or the program's; "" if it is not known.
func (c *Connection) Version() string { return c.transport.Version() }

// Channel opens a channel of the client library, for what this module does not offer. All channels
// of Channel share one TCP connection that nothing else uses, so they cannot disturb a consumer or
// a publisher of this module. That connection is opened at the first call of Channel, and reopened
// when it is lost.
//
// The caller closes the channel. The channel ends with its TCP connection, or with Stop, and does
// not come back: NotifyClose reports the end, and Channel then opens another one. An ack on it is
// that of the client library: one that returned nil may be lost with the connection.
//
// The error is ctx's if ctx ends before there is a connection, and ErrClosed after Stop. It is a
// *RefusedError, at once, if the broker refuses the connection and has never accepted one, unless
// the Config is Lazy.
func (c *Connection) Channel(ctx context.Context) (*amqp.Channel, error) {
	c.once.Do(func() { c.raw = c.transport.Dedicated("channels") })
	for {
		session, err := c.raw.Session(ctx)
		if err != nil {
			return nil, err
		}
		ch, err := session.Channel(ctx)
		if errors.Is(err, amqp.ErrClosed) { // the session is about to end
			select {
			case <-session.Done():
				continue
			case <-ctx.Done():
			}
		}
		if err != nil {
			return nil, err
		}
		if library, ok := ch.(interface{ Library() *amqp.Channel }); ok {
			return library.Library(), nil
		}
		_ = ch.Close()
		return nil, errors.New("connection: a simulated broker has no channels of the client library")
	}
}

// Notify calls f at each Event from now on, one at a time and in order, until the returned function
// is called. f may block, and may call Stop: only the next Event waits for it.
func (c *Connection) Notify(f func(Event)) (stop func()) { return c.transport.Notify(f) }

// Ready waits until every TCP connection that is in use is up. If none is in use yet, it opens the
// one to publish. The error is ctx's if ctx ends first, and ErrClosed after Stop. It is a
// *RefusedError, at once, if the broker refuses the connection and has never accepted one, unless
// the Config is Lazy: then Ready waits until ctx ends.
func (c *Connection) Ready(ctx context.Context) error {
	h := c.Health()
	if h.Publishing.Used || !h.Consuming.Used {
		if _, err := c.transport.Publishing().Session(ctx); err != nil {
			return err
		}
	}
	if h.Consuming.Used {
		if _, err := c.transport.Consuming().Session(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop closes all TCP connections and ends every session. It returns when that is done, or when ctx
// ends. If ctx has no deadline, the broker has 5 s to answer. Stop may be called twice.
func (c *Connection) Stop(ctx context.Context) error { return c.transport.Stop(ctx) }

// Abort closes every socket without a word to the broker.
func (c *Connection) Abort() { c.transport.Abort() }
