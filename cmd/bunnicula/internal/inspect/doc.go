// Package inspect looks at a broker without changing it: how many messages are in queues, whether
// what a topology declares exists and is the same, what a user may do. The command bunnicula prints
// it.
//
// AMQP tells little about a queue that exists, and a declaration would make one that does not. So a
// queue is compared by a declaration that can never succeed. It has an argument with an invalid
// value, for which the broker refuses a new queue, and which it compares last in an existing one.
// See [Broker.Queue].
package inspect
