package transport

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
)

// Over makes a Connection of a real one.
func Over(c *connection.Connection) Connection { return conn{c} }

type conn struct{ *connection.Connection }

func (c conn) Publishing() Link          { return link{c.Connection.Publishing()} }
func (c conn) Consuming() Link           { return link{c.Connection.Consuming()} }
func (c conn) Apart(purpose string) Link { return link{c.Connection.Apart(purpose)} }

type link struct{ *connection.Link }

func (l link) Session(ctx context.Context) (Session, error) {
	s, err := l.Link.Session(ctx)
	if err != nil {
		return nil, err
	}
	return session{s}, nil
}

type session struct{ *connection.Session }

func (s session) Channel(ctx context.Context) (Channel, error) {
	ch, err := s.Session.Channel(ctx)
	if err != nil {
		return nil, err
	}
	return channel{ch}, nil
}

type channel struct{ *amqp.Channel }

func (c channel) Publish(exchange, key string, mandatory bool, msg amqp.Publishing) (Confirmation, error) {
	confirmation, err := c.PublishWithDeferredConfirm(exchange, key, mandatory, false, msg)
	if err != nil {
		return nil, err
	}
	return confirmation, nil
}
