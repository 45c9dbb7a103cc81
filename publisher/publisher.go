package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bunnicula-go/bunnicula/connection"
)

// Publisher is what an application asks for. [Client] is the real one, and
// publishertest.Recorder the one for tests.
type Publisher interface {
	// Publish sends one message and returns nil only when the broker has confirmed it
	// and routed it to a queue. It waits for that until ctx ends, across
	// reconnects; a message that was sent meanwhile goes out again with the
	// same id, so it may arrive twice, and is not lost.
	//
	// The payload is encoded by the Config's Codec; a []byte is sent as it is.
	Publish(ctx context.Context, routingKey string, payload any, opts ...Option) error

	// PublishAsync waits for room in the window, not for the confirm, which its
	// Confirmation tells. ctx bounds both. Messages of one goroutine are sent in order.
	// The error is for what could not be sent at all; the Confirmation is nil then.
	PublishAsync(ctx context.Context, routingKey string, payload any, opts ...Option) (Confirmation, error)

	// PublishBatch sends many messages and waits for all of them. If some fail, the error
	// is a *BatchError that tells which; the others are confirmed. If one cannot be
	// encoded or is too large, none is sent: then it lists them all, the others with ErrNotSent.
	PublishBatch(ctx context.Context, messages ...Message) error
}

// Confirmation is a message on its way.
type Confirmation interface {
	// Done is closed when its fate is known.
	Done() <-chan struct{}
	// Err is what Publish would have returned. Read it after Done.
	Err() error
	// MessageID is the id that it was sent with.
	MessageID() string
}

// Config is how a Client publishes. The zero Config is what most want.
type Config struct {
	// Exchange is where messages go unless the Exchange option says otherwise.
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

	// Window is how many messages may be unconfirmed at once. Whoever publishes more waits.
	//
	// Defaults to 1024.
	Window int
}

// Defaults of Config.
const (
	DefaultMaxBody = 16 << 20
	DefaultWindow  = 1024
)

func (c Config) defaults() Config {
	if c.Codec == nil {
		c.Codec = JSON
	}
	c.MaxBody = cmp.Or(c.MaxBody, DefaultMaxBody)
	c.Window = cmp.Or(c.Window, DefaultWindow)
	return c
}

// Client is the Publisher that talks to a broker. It is safe for use by many
// goroutines at once; their messages share one channel, and their confirms are in
// flight together.
type Client struct {
	config Config
	app    string
	sender *Sender
}

var _ Publisher = (*Client)(nil)

// New makes a Client. It connects at the first publish, or at Start. A nil logger means
// slog.Default(). The error names the field that is wrong.
func New(conn *connection.Connection, cfg Config, log *slog.Logger) (*Client, error) {
	if conn == nil {
		return nil, errors.New("publisher: the connection is nil")
	}
	cfg = cfg.defaults()
	if cfg.MaxBody < 0 {
		return nil, fmt.Errorf("publisher: MaxBody is %d, want a number of bytes above 0", cfg.MaxBody)
	}
	if len(cfg.Exchange) > 255 {
		return nil, fmt.Errorf("publisher: Exchange is %d bytes long, AMQP allows 255", len(cfg.Exchange))
	}
	sender, err := NewSender(conn, cfg.Window, log)
	if err != nil {
		return nil, err
	}
	return &Client{config: cfg, app: conn.Name(), sender: sender}, nil
}

// Publish is described at [Publisher].
func (c *Client) Publish(ctx context.Context, routingKey string, payload any, opts ...Option) error {
	env, err := c.build(routingKey, payload, opts)
	if err != nil {
		return err
	}
	return c.sender.send(ctx, env)
}

func (c *Client) build(routingKey string, payload any, opts []Option) (Envelope, error) {
	env, err := c.config.Build(routingKey, payload, opts...)
	env.AppId = cmp.Or(env.AppId, c.app)
	return env, err
}

// PublishAsync is described at [Publisher].
func (c *Client) PublishAsync(ctx context.Context, routingKey string, payload any, opts ...Option) (Confirmation, error) {
	env, err := c.build(routingKey, payload, opts)
	if err != nil {
		return nil, err
	}
	s, err := c.sender.begin(ctx, env, true)
	if err != nil {
		return nil, failed(&env, err)
	}
	return s, nil
}

// PublishBatch is described at [Publisher].
func (c *Client) PublishBatch(ctx context.Context, messages ...Message) error {
	envs, err := c.config.BuildBatch(messages...)
	if err != nil {
		return err
	}
	failures := BatchError{Errs: map[int]error{}, Of: len(messages)}
	sent := make([]*sending, len(envs))
	for i, env := range envs {
		env.AppId = cmp.Or(env.AppId, c.app)
		s, err := c.sender.begin(ctx, env, false)
		if err != nil {
			failures.Errs[i] = failed(&env, err)
			continue
		}
		sent[i] = s
	}
	for i, s := range sent {
		if s == nil {
			continue
		}
		if err := s.wait(ctx, c.sender); err != nil {
			failures.Errs[i] = err
		}
	}
	if len(failures.Errs) > 0 {
		return &failures
	}
	return nil
}

// Start connects, so that a wrong password shows at start and not at the first message.
func (c *Client) Start(ctx context.Context) error {
	if _, err := c.sender.link.Session(ctx); err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	return nil
}

// Stop takes no more messages, and waits until those in flight are confirmed or ctx
// ends. What is left then fails: with ErrUnconfirmed if it was sent, else with ErrClosed.
func (c *Client) Stop(ctx context.Context) error { return c.sender.Stop(ctx) }

func failed(env *Envelope, err error) error {
	return fmt.Errorf("publisher: publish to %s: %w", env.where(), err)
}
