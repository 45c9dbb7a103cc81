package consumer

import "github.com/bunnicula-go/bunnicula/monitoring"

// Delivery is a message before its body is decoded, as handlers and monitors see it.
type Delivery = monitoring.Delivery

// Message is a Delivery with its decoded body. A test of a handler can start from the zero value.
type Message[T any] struct {
	Delivery

	// Payload is the decoded Body.
	Payload T
}
