package publisher

import "github.com/bunnicula-go/bunnicula/internal/sending"

// Partition publishes to the partition, out of n, that has the messages with this key, so that a
// consumer.Partitioned handles them in order. The routing key of the call is the queue whose
// partitions they are:
//
//	pub.Publish(ctx, "orders", o, publisher.Partition(o.Customer, 16)) // to "orders.p07"
//
// Messages with one key are in the order in which Publish has returned for them. Whoever publishes
// them from several goroutines or processes must know which is first. PublishAsync and PublishBatch
// keep the order of messages with one key as well, unless some have to be sent again: see
// [Publisher]. In the Put of an outbox add outbox.Key with the same key, because a relay publishes
// messages without one in no particular order.
//
// n must be that of the consumer; another n breaks the order, see consumer.Partitioned. If the
// partition does not exist, the error is ErrUnroutable. An empty key, an n that is not 1 to
// topology.MaxPartitions, and an exchange are errors. So is a queue that is itself a partition of
// its name, which would be a partition of a partition. The last one of several options Partition
// counts. A message with a Delay goes to its partition when it is due, behind those that came
// before it: that breaks the order.
func Partition(key string, n int) Option {
	return func(d *sending.Draft) error {
		d.Partition = &sending.Partition{Key: key, Of: n}
		return nil
	}
}
