package topology

import "time"

// Ladder are delays for Plan.Delays and consumer.Spec.Delays, from 250 ms to a day. A consumer
// that has them takes messages with any delay (publisher.Delay, publisher.At), and is exact about
// the delays that its handler asks for (consumer.RetryAfter, consumer.Snooze). A message waits in
// the queue of the longest delay that fits. Then its consumer gets it and, without running a
// handler, sends it on to the next one, until it is due. So it is never early, and at most 250 ms
// late, and as much later as the queue has a backlog or no consumer runs. A broker that starts can
// let it come three minutes late: see "Retries come late" in docs/OPERATIONS.md.
//
// Ten queues cost a broker 67 to 78 KiB each while they are idle, and 10 to 20 ms each to declare
// for the first time. A message passes at most 30 of them, and one more for each day. Each time the
// consumer takes it, publishes it and acks it. A broker moves some 4,000 messages a second through
// one queue (RabbitMQ 3.10; 2,600 on 4.3).
//
// A consumer that runs already gets the Ladder with its next deployment. One without it that runs
// beside it meanwhile sends early messages round through its own retry queues: they are late by
// less than its shortest delay. The same holds when the Ladder is removed again; delete its queues
// when they are empty.
//
// The values are what publishers and consumers of all versions agree on, so they never change.
// Changing the variable changes what this program's consumers declare, and nothing else.
var Ladder = []time.Duration{
	250 * time.Millisecond,
	time.Second, 5 * time.Second, 15 * time.Second,
	time.Minute, 5 * time.Minute, 15 * time.Minute,
	time.Hour, 6 * time.Hour, 24 * time.Hour,
}
