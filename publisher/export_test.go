package publisher

import (
	"github.com/bunnicula-go/bunnicula/internal/sending"
)

// Written says whether an async message has gone to the socket, or was about to.
func Written(c Confirmation) bool { return c.(*sending.Message).Written() }

// InFlight is how many messages are in the pipeline.
func InFlight(c *Client) int { return c.pipeline.InFlight() }

// UserID sets the property that a broker refuses if it is not the connection's own.
func UserID(id string) Option { return func(d *sending.Draft) error { d.UserId = id; return nil } }

// Build makes the Envelope that a Client with this Config publishes.
func (c Config) Build(routingKey string, payload any, opts ...Option) (sending.Envelope, error) {
	return sending.Build(c.defaults().rules(), routingKey, payload, opts)
}

// BuildBatch makes those of a batch.
func (c Config) BuildBatch(messages ...Message) ([]sending.Envelope, map[int]error) {
	return sending.BuildBatch(len(messages), func(i int) (sending.Envelope, error) {
		return c.Build(messages[i].RoutingKey, messages[i].Payload, messages[i].Options...)
	})
}
