package outbox_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// The partitions are declared when the broker has refused rows, which come again after delays that
// get shorter. Without outbox.Key a later row of a key overtakes an earlier one then.
func TestRowsForPartitionsKeepTheOrderOfEachKey(t *testing.T) {
	const n, keys, each = 4, 20, 15
	queue, db := amqptest.Queue(t, "outbox-partitions"), sqlite(t)
	box := newBox(t, db, outbox.SQLite)
	for i := range keys * each {
		key := fmt.Sprint(i % keys)
		put(t, box, db, queue, []string{fmt.Sprint(key, "-", i/keys)}, outbox.Key(key), publisher.Partition(key, n))
		to, err := topology.Partition(queue, key, n)
		if err != nil {
			t.Fatal(err)
		}
		if rows := count(t, db, `SELECT count(*) FROM bunnicula_outbox WHERE exchange = '' AND routing_key = ? AND key = ?`, to, key); rows != i/keys+1 {
			t.Fatalf("%d rows of key %s are for %s, want %d", rows, key, to, i/keys+1)
		}
	}

	var refused atomic.Int64
	shorter := func(int) time.Duration { return max(0, 500*time.Millisecond-time.Duration(refused.Add(1)*1e6)) }
	relay := startRelay(t, box, dialed(t), outbox.RelayConfig{Poll: 10 * time.Millisecond, Backoff: shorter})
	defer stopRelay(t, relay)
	amqptest.Eventually(t, 10*time.Second, func() bool { return refused.Load() >= keys }, "no row of some key was refused")
	for i := range n {
		name := topology.PartitionQueue(queue, i)
		amqptest.Cleanup(t, name)
		if _, err := amqptest.Channel(t).QueueDeclare(name, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	amqptest.Eventually(t, 20*time.Second, func() bool { return count(t, db, `SELECT count(*) FROM bunnicula_outbox`) == 0 }, "rows are left")

	got := 0
	for i := range n {
		all := amqptest.Drain(t, topology.PartitionQueue(queue, i))
		if inverted, twice := inversions(t, all); inverted+twice > 0 {
			t.Errorf("partition %d: %d inversions, %d twice", i, inverted, twice)
		}
		got += len(all)
	}
	if got != keys*each {
		t.Errorf("the partitions have %d messages, want %d", got, keys*each)
	}
}
