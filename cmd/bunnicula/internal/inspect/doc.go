// Package inspect looks at a broker and changes nothing: how deep queues are, whether what a topology declares is
// there and is the same, what a user may do. The command bunnicula prints what it finds.
//
// AMQP tells little of a queue that exists, and asking wrongly declares one that does not. So a queue is compared by a declaration
// that can never succeed: one with an argument that a new queue is refused for, and an existing one is compared by
// last. See [Broker.Queue].
package inspect
