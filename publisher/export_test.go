package publisher

import (
	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// Written says whether a message of PublishAsync has been written to the socket, or is about to be.
func Written(c Confirmation) bool { return c.(*sending.Message).Written() }

// InFlight returns how many messages the pipeline has in flight.
func InFlight(c *Client) int { return c.pipeline.InFlight() }

// UserID sets the property that a broker refuses unless it is the name of the connection's login.
func UserID(id string) Option { return func(d *sending.Draft) error { d.UserId = id; return nil } }

// Build makes the Envelope that a Client with this Config publishes.
func (c Config) Build(routingKey string, payload any, opts ...Option) (sending.Envelope, error) {
	return sending.Build(c.defaults().rules(), routingKey, payload, opts)
}

// BuildBatch makes the Envelopes of a batch.
func (c Config) BuildBatch(messages ...Message) ([]sending.Envelope, map[int]error) {
	return sending.BuildBatch(len(messages), func(i int) (sending.Envelope, error) {
		return c.Build(messages[i].RoutingKey, messages[i].Payload, messages[i].Options...)
	})
}
