// Package typed is a message's properties and headers in JSON. A header's value keeps its AMQP
// type: see [Field]. Exported messages are written so, and rows of an outbox.
package typed
