// Package errorqueue reads error queues and moves parked messages: it says why messages failed,
// which failures are of the same kind, and moves back those that can be handled now.
//
//	q, err := errorqueue.Open(ctx, conn, errorqueue.Config{Queue: "orders"}, nil)
//	report, err := q.Groups(ctx, errorqueue.GroupOptions{}) // what failed, and how often
//	filter, err := errorqueue.ParseFilter(`reason=timeout older=2h error~"connection refused"`)
//	for msg, err := range q.List(ctx, errorqueue.ListOptions{Filter: filter}) { ... }
//	done, err := q.Redrive(ctx, errorqueue.RedriveOptions{Filter: filter, Batches: []int{1, 100}})
//
// [Queue.List], [Queue.Groups] and [Queue.Export] change nothing. [Queue.Redrive] moves messages
// back to the queues from which they came, [Queue.Discard] moves them into an archive, and
// [Queue.Import] publishes those of a file to a queue. A message that is moved is published first,
// then its confirm is awaited, and only then is it removed from the queue where it was. The process
// may be killed at any moment: each message is then in one of the two queues, or, a window of
// messages at most, in both. Of a quorum queue it may be 67 more: a broker that is slow can forget
// acks when a connection is lost at once, although it has answered behind them.
//
// [Move] moves in the same way what waits in all queues of one consumer to those of another.
//
// A dry run counts, and a later call moves just what it has counted if Now is the same and Within
// is what it has Read: [RedriveOptions]. A message without an id is named by its mark.
//
// The package understands messages that consumers of this framework have parked, that the broker
// has dead-lettered by itself, that Clojure's Bunnicula has parked, and that came from elsewhere:
// see [Message].
//
// # What reading costs
//
// AMQP cannot show messages without delivering them. A call holds all messages that it has read
// until it ends, and then gives them back in order. Nobody else sees these messages meanwhile. So
// readers of one queue take turns, across processes too: the lock is an exclusive queue beside the
// error queue, "orders-error.reader". A user who may not declare it reads without the lock. The
// messages of a killed reader come back a moment after its lock is gone. A call reads the messages
// that are there when it begins.
//
// Before RabbitMQ 4.3 each reading counts as a delivery, and a queue drops a message above its
// delivery limit, which a policy may set. No reading gives back what the queue would drop: see
// [Config.DeliveryLimit].
//
// A message of an AMQP 1.0 client may be one that RabbitMQ cannot deliver over AMQP 0-9-1. It
// blocks the messages behind it: see [UnreadableError].
//
// # Permissions
//
// Reading needs read on the error queue. Moving messages needs write on the default exchange
// (amq.default, in RabbitMQ's terms); so does reading before RabbitMQ 4.3, if the queue's delivery
// limit is not known. Declaring the archive and the lock needs configure on them.
package errorqueue
