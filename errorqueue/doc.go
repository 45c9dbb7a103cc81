// Package errorqueue reads error queues and moves what is parked there: it says why messages
// failed, which failures are of the same kind, and moves back those that can be handled now.
//
//	q, err := errorqueue.Open(ctx, conn, errorqueue.Config{Queue: "orders"}, nil) // reads orders-error
//	report, err := q.Groups(ctx, errorqueue.GroupOptions{})                       // what failed, and how often
//	filter, err := errorqueue.ParseFilter(`reason=timeout older=2h error~"connection refused"`)
//	for msg, err := range q.List(ctx, errorqueue.ListOptions{Filter: filter}) { ... }
//	done, err := q.Redrive(ctx, errorqueue.RedriveOptions{Filter: filter, Batches: []int{1, 10, 100, 1000}})
//
// [Queue.List], [Queue.Groups] and [Queue.Export] change nothing. [Queue.Redrive] moves messages
// back to the queues that they came from, [Queue.Discard] into an archive, and [Queue.Import] puts
// those of a file into a queue. A message that is moved is published first, then its confirm is
// awaited, and only then is it taken out of the queue where it was. The process may be killed at
// any moment: each message is then in one of the two queues, or, a window of messages at most, in
// both.
//
// It understands what consumers of this framework have parked, what the broker has dead-lettered by
// itself, what Clojure's Bunnicula has parked, and what came from elsewhere: see [Message].
//
// # What reading costs
//
// AMQP has no way to look at messages without taking them. A call holds all that it has read until
// it ends, and then gives it back in order. Nobody else sees these messages meanwhile. So readers
// of one queue take turns, across processes too: the lock is an exclusive queue beside the error
// queue, "orders-error.reader". A user who may not declare it reads without the lock. What a killed
// reader held comes back a moment after its lock is gone. A call reads what is there when it
// begins.
//
// Each reading counts as a delivery. Error queues as topology declares them allow a million; for
// others see [Config.MaxDeliveries].
//
// A message that an AMQP 1.0 client has published may be one that RabbitMQ cannot deliver over AMQP
// 0-9-1. It stands in the way of those behind it: see [UnreadableError].
//
// # Permissions
//
// Reading needs read on the error queue. Moving messages needs write on the default exchange
// (amq.default, in RabbitMQ's terms). Declaring the archive and the lock needs configure on them.
package errorqueue
