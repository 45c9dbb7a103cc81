package consumer

import "time"

// Running is a handler that runs.
type Running struct {
	Consumer       string // Spec.Name
	Queue          string
	MessageID      string
	MessageIDGiven bool   // the publisher has set none
	Type           string // of the message
	Attempt        int    // from 1
	Since          time.Time
	Stuck          bool   // past its timeout and grace
	Stack          string // of a stuck one, when it was found to be stuck
}

// Running returns the handlers that run at this moment, the longest first.
func (c *Consumer) Running() []Running { panic("not yet") }
