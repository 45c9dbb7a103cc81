package console

import (
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

type property struct{ Name, Value string }

// propertiesOf returns the properties that a message has, and how it was first published.
func propertiesOf(m *errorqueue.Message) (all []property) {
	for _, p := range []property{
		{"type", m.MessageType},
		{"content type", m.ContentType},
		{"content encoding", m.ContentEncoding},
		{"correlation id", m.CorrelationID},
		{"reply to", m.ReplyTo},
		{"app id", m.AppID},
		{"user id", m.UserID},
		{"priority", positive(int(m.Priority))},
		{"published to exchange", m.OriginalExchange},
		{"with key", m.OriginalRoutingKey},
		{"with expiration", m.OriginalExpiration},
		{"by user", m.OriginalUserID},
		{"deliveries", positive(m.Deliveries)},
	} {
		if p.Value != "" {
			all = append(all, p)
		}
	}
	return all
}
