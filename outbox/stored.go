package outbox

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/typed"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// properties are what the column of that name has, as JSON. The message id has its own column.
type properties struct {
	typed.Properties

	NotMandatory bool                   `json:"not_mandatory,omitempty"`
	Headers      map[string]typed.Field `json:"headers,omitempty"`
}

// readProperties reads the column properties. The Envelope has what stands in it, and nothing else.
func readProperties(text []byte) (env sending.Envelope, err error) {
	var p properties
	if err := typed.Strictly(text, &p); err != nil {
		return env, err
	}
	env.Publishing, env.NotMandatory = p.Publishing(), p.NotMandatory
	if env.Headers, err = typed.Table(p.Headers); err != nil {
		return env, fmt.Errorf("headers: %w", err)
	}
	if err := wire.Check(env.Headers); err != nil {
		return env, fmt.Errorf("headers: %w", err)
	}
	return env, nil
}

// stored is a row as a message.
type stored struct {
	id, exchange, routingKey string
	properties, body         []byte // as the columns have them
}

// message makes the message of a row. It has no timestamp unless whoever put it has set one.
func (s *stored) message() (sending.Envelope, error) {
	env, err := readProperties(s.properties)
	env.Exchange, env.RoutingKey, env.MessageId, env.Body = s.exchange, s.routingKey, s.id, s.body
	if err != nil {
		return env, fmt.Errorf("outbox: the properties of message %q: %w", s.id, err)
	}
	return env, nil
}

// body is a payload that is encoded already, with the content type that it was put with, which may
// be none.
type body []byte

// publication returns the arguments with which a Publisher publishes the message of a row as Put
// has made it. The publisher sets the timestamp if it has none.
func publication(env *sending.Envelope) (payload any, option publisher.Option) {
	return body(env.Body), func(d *sending.Draft) error {
		d.Exchange, d.NotMandatory = env.Exchange, env.NotMandatory
		d.Publishing = env.Publishing
		d.Publishing.Headers, d.Publishing.Body = amqp.Table(nil), nil
		d.Added = env.Headers
		d.Encode = func(any) (sending.Encoded, error) { return sending.Encoded{Bytes: env.Body}, nil }
		return nil
	}
}
