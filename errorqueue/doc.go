// Package errorqueue looks into error queues and does something about what is parked there: why did messages fail, which failures
// are of the same kind, and back with those that can be handled now.
//
//	q, err := errorqueue.Open(ctx, conn, errorqueue.Config{Queue: "orders"}, nil) // reads orders-error
//	report, err := q.Groups(ctx, errorqueue.GroupOptions{})                       // what failed, and how often
//	filter, err := errorqueue.ParseFilter(`reason=timeout older=2h error~"connection refused"`)
//	for msg, err := range q.List(ctx, errorqueue.ListOptions{Filter: filter}) { ... }
//	done, err := q.Redrive(ctx, errorqueue.RedriveOptions{Filter: filter, Batches: []int{1, 10, 100, 1000}})
//
// [Queue.List], [Queue.Groups] and [Queue.Export] change nothing. [Queue.Redrive] moves messages back to the queues that they came
// from, [Queue.Discard] into an archive, [Queue.Import] puts those of a file into the queue. Whatever moves a message publishes it first, waits for
// the confirm, and only then takes it away from where it was: a process may be killed at any moment, and then a message is in one
// of the two places, or, at most a window of them, in both.
//
// It understands what consumers of this framework have parked, what the broker has dead-lettered by itself, what
// Clojure's Bunnicula has parked, and what came from elsewhere: see [Message].
//
// # What reading costs
//
// AMQP has no way to look at messages without taking them. A call holds all that it has read until it ends, and gives it back in
// order. Meanwhile nobody else sees these messages, so readers of one queue take turns, across processes too: an exclusive queue
// beside the error queue, "orders-error.reader", is the lock. Whoever may not declare it reads without one. What a reader that was
// killed held comes back a moment after its lock is gone; a call looks at what is there when it begins.
//
// Each reading counts as a delivery. Error queues as topology declares them allow a million; for others see
// [Config.MaxDeliveries].
//
// # Permissions
//
// Read on the error queue; write on the default exchange (or, in RabbitMQ's terms, on amq.default) to move messages; configure on
// the archive and the lock where they are to be declared.
package errorqueue
