package publisher

// Partition publishes to the partition, out of n, that has the messages with this key. The routing
// key of the call is the queue whose partitions they are.
func Partition(key string, n int) Option { panic("not yet") }
