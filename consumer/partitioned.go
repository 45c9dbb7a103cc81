package consumer

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Partitioned returns n Specs, one for each partition of the Spec's queue, so that messages with
// one key are handled in the order in which they were published, while other keys are handled
// beside them, by any number of processes:
//
//	consumer.Provide(func(h H) []consumer.Spec { return consumer.Partitioned(16, Orders(h)) })
//	pub.Publish(ctx, "orders", o, publisher.Partition(o.Customer, 16)) // to "orders.p07"
//
// Each partition is a queue, "orders.p00" to "orders.p15", and one process at a time handles its
// messages, one after the other: its Spec is SingleActive and has a Concurrency of 1. All
// partitions share one error queue, "orders-error" unless ErrorQueue is set, and a message that is
// redriven goes to its own partition again. A Spec's Name gets the partition's number as its Queue
// does.
//
// What a failure does to the order is for the Spec to say:
//
//   - With use.InPlace in Use and MaxRetries of NoRetries, the partition waits while a message is
//     tried again, and goes on when it succeeds or is parked. No message overtakes another one of
//     its key. This is what most want.
//   - Without it a message that is retried waits in a retry queue, and those behind it go on: it is
//     skipped, and comes back behind them.
//
// A message that is parked is confirmed in the error queue before the next one begins. Handled
// twice is possible, as with each consumer: after a lost connection or a dead process the messages
// that were not acked come again, in order, to another process. A process that was cut off may
// finish its handler beside its successor; outbox.Once fences that. A redrive and a delay (Snooze,
// RetryAfter, publisher.Delay) take a message out of the order. See "Order" in docs/OPERATIONS.md.
//
// n is from 1 to topology.MaxPartitions: as many as handlers may run at once in all processes
// together, and some to spare, because n cannot be changed while messages wait. A partition and its
// retry queue are quorum queues, which cost the broker some 70 KiB each. Every publisher must use
// the same n. A Start finds out that the queues at the broker are those of another n. If messages
// wait in them its error is ErrOtherPartitions, with the numbers; if they are empty it goes on, and
// a warning names those that are left over.
//
// From RabbitMQ 4.0 on the partitions are spread over the processes, by priorities that are random
// for each call of Partitioned: a process that comes takes over its share, each partition when the
// messages that are in hand there are settled. Brokers before 4.0 ignore priorities here: the first
// process has all partitions until it stops.
//
// RabbitMQ 4.3.6 has a fault there. If a consumer with a higher priority subscribes to a partition
// and ends, and then the active one ends before it has settled what it had in hand meanwhile, the
// broker keeps the one that ended as the active consumer, and nobody gets a message. Two things
// keep this rare and short:
//
//   - Prefetch defaults to 1. Then what is in hand is the one message in the handler, and a
//     consumer that stops in time, or pauses, has settled it. What is left are processes that die,
//     lose their connection or stop out of time over a message, just after another one has come and
//     gone. It costs the wait for the next message, some milliseconds for each: a partition of
//     handlers that do nothing handled 200 messages a second, and 2,200 with a Prefetch of 10.
//   - The broker may leave a message with a consumer for as long as a full Prefetch may take, and
//     five minutes more. Then RabbitMQ 4.3 gives the partition to another, sometimes only when the
//     next message is published to it. With the default Timeout that is after 6 minutes and 5
//     seconds. With NoTimeout, with WhenStuck of Hold, and where it would be longer, it is the
//     broker's own consumer_timeout, 30 minutes unless configured.
//
// A Priority that is not 0 is that of all partitions in all processes. It avoids the fault and
// gives the spread up: as with brokers before 4.0, the first process has all partitions until it
// stops. All processes must set the same, and those that do not must have ended. Prefetch then has
// its usual default. "bunnicula partitions" and "bunnicula doctor" find a partition that is held
// so.
//
// The Spec may not set Bindings, QueueType Classic or the scheme Bunnicula, and its
// Concurrency may be 0 or 1. What is wrong with it, and with n, is an error of New and of Plan, so
// that Partitioned can be used where Specs are listed. Call it once in a process for each queue.
func Partitioned(n int, spec Spec) []Spec {
	f := &family{queue: spec.Queue, n: n, turn: make(chan struct{}, 1)}
	if f.errs = checkPartitioned(n, &spec); f.errs != nil {
		spec.family = f
		return []Spec{spec}
	}
	process := sending.NewID()
	specs := make([]Spec, n)
	for i := range specs {
		s := spec
		s.Queue = topology.PartitionQueue(spec.Queue, i)
		s.Name = topology.PartitionQueue(cmp.Or(spec.Name, spec.Queue), i)
		s.ErrorQueue = cmp.Or(spec.ErrorQueue, topology.ErrorQueue(spec.Queue))
		s.SingleActive, s.Concurrency = true, 1
		if spec.Priority == 0 {
			s.Priority, s.Prefetch = priorityOf(process, s.Queue), cmp.Or(spec.Prefetch, 1)
		}
		s.family = f
		specs[i] = s
	}
	return specs
}

// priorityOf spreads the partitions over processes: each process prefers other partitions.
func priorityOf(process, queue string) int {
	return int(sha256.Sum256([]byte(process + queue))[0]) - 128
}

// afterSlowest is what the broker gives a partition's consumer more than it needs at most.
const afterSlowest = 5 * time.Minute

// holdsAtMost returns how long the broker may leave a message with the consumer of a partition, or
// 0 for as long as the broker likes. RabbitMQ 4.3.6 can take one that has ended for the active one,
// and this is what ends that; brokers before 4.3 do not know the argument. A message that is held
// for a stuck handler must not come to another process while that handler runs.
func (s *Spec) holdsAtMost() time.Duration {
	slowest := s.slowest()
	if s.family == nil || s.WhenStuck == Hold || slowest == 0 || slowest > brokerTimeout-afterSlowest {
		return 0
	}
	return slowest + afterSlowest
}

// checkPartitioned returns what is wrong with the Spec of a family.
func checkPartitioned(n int, s *Spec) (errs []error) {
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("Partitioned: "+format, args...))
		}
	}
	of, _, is := topology.PartitionOf(s.Queue)
	refuse(n < 1 || n > topology.MaxPartitions, "n is %d, want 1 to %d", n, topology.MaxPartitions)
	refuse(is, "Queue is %q, which is a partition itself, want %q", s.Queue, of)
	refuse(s.Concurrency != 0 && s.Concurrency != 1, "Concurrency is %d, want 1: a partition has one handler at a time; choose a larger n", s.Concurrency)
	refuse(len(s.Bindings) > 0, "Bindings has %d, want none: a message would go to each partition; publish with publisher.Partition", len(s.Bindings))
	refuse(s.QueueType == topology.Classic, "QueueType is %q, want %q: classic queues pass a partition on without regard to priorities, and can lose what they move", s.QueueType, topology.Quorum)
	refuse(s.Scheme == topology.Bunnicula, "Scheme is Bunnicula, which has no single active consumer")
	if strings.TrimSpace(s.Queue) == "" && errs == nil { // checkQueue says so
		errs = []error{}
	}
	return errs
}

// checkMember returns what somebody has changed in a Spec of Partitioned so that it keeps no order.
func (s *Spec) checkMember() []error {
	switch f := s.family; {
	case f == nil:
		return nil
	case f.errs != nil:
		return f.errs
	case !s.SingleActive || s.Concurrency != 1:
		return []error{fmt.Errorf("a Spec of Partitioned has SingleActive %t and Concurrency %d, want true and 1", s.SingleActive, s.Concurrency)}
	}
	if of, i, is := topology.PartitionOf(s.Queue); !is || of != s.family.queue || i >= s.family.n {
		return []error{fmt.Errorf("a Spec of Partitioned has Queue %q, want a partition of %q", s.Queue, s.family.queue)}
	}
	return nil
}
