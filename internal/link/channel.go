package link

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Channel opens a channel of this session.
func (s *session) Channel(ctx context.Context) (transport.Channel, error) {
	opened := make(chan *amqp.Channel, 1)
	err := s.Do(ctx, "open a channel", func() error {
		ch, err := s.conn.Channel()
		if err == nil {
			opened <- ch
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return channel{<-opened}, nil
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
