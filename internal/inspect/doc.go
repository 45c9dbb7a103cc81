// Package inspect examines a broker without changing it: how many messages are in queues, whether
// the queues of a topology exist and are the same, and what a user may do. The command bunnicula
// prints the results.
//
// AMQP tells little about a queue that exists, and a declaration would create a queue that does
// not. So a queue is compared by a declaration that can never succeed. It has an argument with an
// invalid value. The broker refuses a new queue because of that value, and compares the argument
// last in an existing one. See [Broker.Queue].
package inspect
