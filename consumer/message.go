package consumer

import "github.com/bunnicula-go/bunnicula/monitoring"

// Delivery is a message before it is decoded, as handlers and monitors see it.
type Delivery = monitoring.Delivery

// Message is a Delivery and its decoded body. Its zero value is a fine input for a test.
type Message[T any] struct {
	Delivery

	// Payload is the decoded Body.
	Payload T
}
