package topology

// PartitionQueue returns the name of a partition's queue: the partition with the number i of queue
// "orders" is "orders.p07" for i = 7.
func PartitionQueue(queue string, i int) string { panic("not yet") }

// Partition returns the queue of the partition, out of n, that has the messages with this key:
// the CRC-32 (IEEE) of its bytes, modulo n.
func Partition(queue, key string, n int) (string, error) { panic("not yet") }

// PartitionOf returns the queue that a partition's queue is of, and the partition's number. ok is
// false for other names.
func PartitionOf(name string) (queue string, i int, ok bool) { panic("not yet") }
