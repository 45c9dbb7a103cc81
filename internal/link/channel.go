package link

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Channel opens a channel of this session, on the first of its TCP connections that has room for
// one.
func (s *session) Channel(ctx context.Context) (transport.Channel, error) {
	return s.channel(ctx, s.Do)
}

// Pulse asks on a channel of its own. Neither to open that nor to ask ends the session, which is
// asked while the broker may be slow.
func (s *session) Pulse() (answers uint64) {
	return s.asker.Pulse(func() (transport.Channel, error) {
		return s.channel(context.Background(), func(_ context.Context, _ string, f func() error) error { return f() })
	})
}

// bound is Do, or runs f without a bound.
type bound func(ctx context.Context, what string, f func() error) error

func (s *session) channel(ctx context.Context, do bound) (transport.Channel, error) {
	have := s.channels()
	if err := s.allowance.check(have); err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	for n := 0; ; n++ {
		m := s.member(n)
		if m == nil {
			if err := s.extend(ctx, n); err != nil {
				return nil, fmt.Errorf("open a channel: %w", err)
			}
			m = s.member(n)
		}
		if ch, err := s.open(ctx, m, do); !hasNoRoom(err) {
			return ch, s.allowance.learn(have, err)
		}
	}
}

// open opens a channel on one TCP connection.
func (s *session) open(ctx context.Context, m *member, do bound) (transport.Channel, error) {
	opened := make(chan *amqp.Channel, 1)
	err := do(ctx, "open a channel", func() error {
		ch, err := m.conn.Channel()
		if err == nil {
			opened <- ch
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	ch := <-opened
	s.mu.Lock()
	s.opened = append(s.opened, ch)
	s.mu.Unlock()
	return channel{ch}, nil
}

// channel is an *amqp.Channel whose Publish returns an interface.
type channel struct{ *amqp.Channel }

// Library returns the *amqp.Channel, for connection.Connection.Channel.
func (c channel) Library() *amqp.Channel { return c.Channel }

func (c channel) Publish(exchange, key string, mandatory bool, msg amqp.Publishing) (transport.Confirmation, error) {
	confirmation, err := c.PublishWithDeferredConfirm(exchange, key, mandatory, false, msg)
	if err != nil {
		// A nil *DeferredConfirmation in an interface would not be nil.
		return nil, err
	}
	return confirmation, nil
}
