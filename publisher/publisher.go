package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Publisher is the interface on which applications depend. [Client] publishes to a broker, and
// publishertest.Recorder is for tests.
type Publisher interface {
	// Publish sends one message. It returns nil only when the broker has confirmed the message and
	// routed it to a queue. It waits for that until ctx ends, or for Config.Timeout if ctx has no
	// deadline. After a lost connection it sends an unconfirmed message again, with the same id. So
	// a message may arrive twice, and is not lost.
	//
	// The payload is encoded by the Config's Codec; a []byte is sent as it is.
	Publish(ctx context.Context, routingKey string, payload any, opts ...Option) error

	// PublishAsync waits for room in the window, but not for the confirm: the Confirmation reports
	// that. ctx bounds both; if it has no deadline, Config.Timeout does, from the call to the
	// confirm. Messages of one goroutine with the same exchange and routing key are
	// sent in order. The order may change if some are sent again: after a lost connection, a
	// refusal, or 0.8 s in which the broker answers nothing. If a message could not be sent at all,
	// PublishAsync returns an error and a nil Confirmation.
	PublishAsync(ctx context.Context, routingKey string, payload any, opts ...Option) (Confirmation, error)

	// PublishBatch sends many messages and waits for all of them. If some fail, the error is a
	// *BatchError that says which; the others are confirmed. If a message cannot be encoded or is
	// too large, none is sent. The *BatchError then lists all of them, the valid ones with
	// ErrNotSent.
	PublishBatch(ctx context.Context, messages ...Message) error
}

// Confirmation is the outcome of one message, which comes later.
type Confirmation interface {
	// Done is closed when the outcome is known.
	Done() <-chan struct{}
	// Err is the error that Publish would have returned. Read it after Done.
	Err() error
	// MessageID is the id with which the message was sent.
	MessageID() string
}

// Config says how a Client publishes. The zero Config suits most applications.
type Config struct {
	// Exchange is the exchange of messages without the Exchange option.
	//
	// Defaults to "", the default exchange: the routing key is the queue.
	Exchange string

	// Codec encodes payloads.
	//
	// Defaults to JSON.
	Codec Codec

	// MaxBody is the largest body that is sent, in bytes.
	//
	// Defaults to 16 MiB, which is also RabbitMQ 4's own limit (max_message_size).
	MaxBody int

	// Window is how many messages may be unconfirmed at once. A publish beyond that waits.
	//
	// Defaults to 1024.
	Window int

	// Timeout bounds the calls whose context has no deadline: how long Publish waits, and how long
	// after PublishAsync its Confirmation is done. PublishBatch may take longer, while at least one
	// message gets room in the window or is confirmed in that time. The error is ErrUnconfirmed if
	// the message was sent; otherwise the message was not sent. It is a context.DeadlineExceeded
	// too, names this field, and says what the message waited for if that is known: a connection,
	// a broker that takes no messages, room in the window.
	//
	// Defaults to 30 s. NoTimeout means never.
	Timeout time.Duration
}

// DefaultTimeout is that of a Config that sets none.
const DefaultTimeout = 30 * time.Second

// NoTimeout is for Config.Timeout: only its context ends a call.
const NoTimeout = time.Duration(-1)

func (c Config) defaults() Config {
	if c.Codec == nil {
		c.Codec = JSON
	}
	c.MaxBody = cmp.Or(c.MaxBody, sending.DefaultMaxBody)
	c.Window = cmp.Or(c.Window, sending.DefaultWindow)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	return c
}

func (c Config) rules() sending.Rules {
	return sending.Rules{Exchange: c.Exchange, Encode: encoder(c.Codec), MaxBody: c.MaxBody}
}

// Client is the Publisher that publishes to a broker. It is safe for use by many goroutines at
// once. All of their messages share one pipeline, so their confirms are awaited together.
type Client struct {
	rules    sending.Rules        // immutable
	conn     transport.Connection // immutable
	pipeline *sending.Pipeline    // immutable
}

var _ Publisher = (*Client)(nil)

// New makes a Client. It connects at the first publish, or at Start. A nil logger means
// slog.Default(). The error has a line for each field that is wrong.
func New(conn *connection.Connection, cfg Config, log *slog.Logger) (*Client, error) {
	if conn == nil {
		return nil, errors.New("publisher: the connection is nil")
	}
	cfg = cfg.defaults()
	var errs []error
	if cfg.MaxBody < 0 {
		errs = append(errs, fmt.Errorf("publisher: MaxBody is %d, want a number of bytes above 0", cfg.MaxBody))
	}
	if len(cfg.Exchange) > 255 {
		errs = append(errs, fmt.Errorf("publisher: Exchange is %d bytes long, AMQP allows 255", len(cfg.Exchange)))
	}
	if cfg.Timeout < time.Millisecond && cfg.Timeout != NoTimeout {
		errs = append(errs, fmt.Errorf("publisher: Timeout is %s, want 1ms or more, 0 for %s, or NoTimeout", cfg.Timeout, DefaultTimeout))
	}
	pipeline, err := sending.New(conn.Transport(), cfg.Window, log)
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	pipeline.Limit(max(0, cfg.Timeout))
	return &Client{rules: cfg.rules(), conn: conn.Transport(), pipeline: pipeline}, nil
}

// Publish implements [Publisher].
func (c *Client) Publish(ctx context.Context, routingKey string, payload any, opts ...Option) error {
	env, err := c.build(routingKey, payload, opts, true)
	if err != nil {
		return err
	}
	return c.pipeline.SendBuilt(ctx, env)
}

// build makes a message. waits says that the call which builds it returns after its end.
func (c *Client) build(routingKey string, payload any, opts []Option, waits bool) (sending.Envelope, error) {
	rules := c.rules
	rules.Lends = waits
	env, err := sending.Build(rules, routingKey, payload, opts)
	env.AppId = cmp.Or(env.AppId, c.conn.Name())
	return env, err
}

// PublishAsync implements [Publisher].
func (c *Client) PublishAsync(ctx context.Context, routingKey string, payload any, opts ...Option) (Confirmation, error) {
	env, err := c.build(routingKey, payload, opts, false)
	if err != nil {
		return nil, err
	}
	m, err := c.pipeline.Begin(ctx, env, true)
	if err != nil {
		return nil, env.Failed(err)
	}
	return m, nil
}

// PublishBatch implements [Publisher].
func (c *Client) PublishBatch(ctx context.Context, messages ...Message) error {
	envs, errs := sending.BuildBatch(len(messages), func(i int) (sending.Envelope, error) {
		return c.build(messages[i].RoutingKey, messages[i].Payload, messages[i].Options, true)
	})
	if errs == nil {
		errs = c.pipeline.SendBatchBuilt(ctx, envs)
	}
	if len(errs) > 0 {
		return &BatchError{Errs: errs, Of: len(messages)}
	}
	return nil
}

// Start connects, so that a wrong password shows at start and not at the first message. On a Lazy
// connection it returns at once: see connection.Config.
func (c *Client) Start(ctx context.Context) error {
	if c.conn.Lazy() {
		c.conn.Publishing().Begin()
		return nil
	}
	if _, err := c.conn.Publishing().Session(ctx); err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	return nil
}

// Stop takes no more messages, and waits until those in flight are confirmed or ctx ends; not for
// those whose callers have gone, because their own context or Config.Timeout has ended. Messages
// that are left then fail: with ErrUnconfirmed if they were sent, otherwise with ErrClosed.
func (c *Client) Stop(ctx context.Context) error { return c.pipeline.Stop(ctx) }
