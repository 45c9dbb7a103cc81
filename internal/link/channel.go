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
	ch, err := s.channel(ctx, s.Do)
	if err != nil {
		return nil, err
	}
	return channel{ch}, nil
}

// bound is Do, or what runs f without a bound.
type bound func(ctx context.Context, what string, f func() error) error

func (s *session) channel(ctx context.Context, do bound) (*amqp.Channel, error) {
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
func (s *session) open(ctx context.Context, m *member, do bound) (*amqp.Channel, error) {
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
	return ch, nil
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
