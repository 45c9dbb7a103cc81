package topology

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// MaxPartitions is how many partitions a queue has at most.
const MaxPartitions = 1024

// PartitionQueue returns the name of a partition's queue: the partition with the number i of queue
// "orders" is "orders.p07" for i = 7. The first has the number 0. From 100 on a number has three
// digits, and then four.
func PartitionQueue(queue string, i int) string { return fmt.Sprintf("%s.p%02d", queue, i) }

// Partition returns the queue of the partition, out of n, that has the messages with this key. The
// partition's number is the CRC-32 (IEEE) of the key's bytes, modulo n, so programs in other
// languages find the same one: see docs/LANGUAGES.md. publisher.Partition publishes there.
//
// n is from 1 to MaxPartitions, and must be that of consumer.Partitioned. The error says that n is
// not, that the key is empty, or what is wrong with the name of the queue. An empty key is most
// often a forgotten one, and all of its messages would go to one partition.
func Partition(queue, key string, n int) (string, error) {
	if n < 1 || n > MaxPartitions {
		return "", fmt.Errorf("topology: queue %q: %d partitions, want 1 to %d", cut(queue), n, MaxPartitions)
	}
	if key == "" {
		return "", fmt.Errorf("topology: queue %q: the key of a message for its partitions is empty", cut(queue))
	}
	if err := checkPartitions(queue, n); err != nil {
		return "", fmt.Errorf("topology: queue %q: %w", cut(queue), err)
	}
	return PartitionQueue(queue, int(crc32.ChecksumIEEE([]byte(key))%uint32(n))), nil
}

// checkPartitions returns what is wrong with the names of n partitions. An error of one is an error
// of all, so that what works for one key works for each.
func checkPartitions(queue string, n int) error {
	if queue == "" {
		return errors.New("the name is empty")
	}
	last := PartitionQueue(queue, n-1)
	if len(last) > maxName {
		return fmt.Errorf("the name of a partition has %d bytes, the longest allowed has %d", len(last), maxName)
	}
	return checkName(last)
}

// cut keeps a long name from filling an error.
func cut(name string) string {
	if len(name) > maxName {
		return strings.ToValidUTF8(name[:60], "") + "..."
	}
	return name
}

// PartitionOf returns the queue that a partition's queue is of, and the partition's number. ok is
// false for names that PartitionQueue does not make. It only looks at the name: a queue that
// somebody has called so for another reason looks like a partition.
func PartitionOf(name string) (queue string, i int, ok bool) {
	at := strings.LastIndex(name, ".p")
	if at < 1 {
		return "", 0, false
	}
	i, err := strconv.Atoi(name[at+2:])
	if err != nil || i < 0 || i >= MaxPartitions || PartitionQueue(name[:at], i) != name {
		return "", 0, false
	}
	return name[:at], i, true
}
