// Others has sides of the benchmark that other Go libraries play: those that consume from RabbitMQ
// and publish to it. bench starts it once for each side and round ("make bench", or -others), and
// compares. It is a module of its own, so that no other build includes these libraries.
//
// Each library has the settings that its documentation recommends for this work: the queue that
// bench has declared, persistent messages, a confirm for each publish and an ack after the handler,
// at most 300 unsettled messages and, where it can, 16 handlers at once. Nobody logs. No library
// here gets a message id, a timestamp or the flag "mandatory" that it does not set by itself; this
// library and the raw client set all three.
//
// Retries are not compared. None of these libraries has a delayed copy in a queue: watermill's
// middleware tries again in the process, while the message keeps its place in the prefetch, and the
// others leave it to the handler.
package main
