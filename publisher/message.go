package publisher

// Message is one message of a batch.
type Message struct {
	RoutingKey string
	Payload    any
	Options    []Option
}
