// Package simulated is RabbitMQ in memory and in simulated time: a [transport.Connection] for as
// many processes as a test wants, to be used in a bubble of testing/synctest. What matters to who
// publishes and consumes is as on the real broker, which the same scripts prove on both
// (conformance_test.go).
//
// Frames take time in either direction, so an ack that was sent is not yet an ack that was taken.
// Each frame that arrives, and each dial, is a [Step] at which [Options].Faults may let something
// go wrong. What happened is in the [Broker.Journal], in order, and what a client must never do is
// in it as a Violation.
package simulated
