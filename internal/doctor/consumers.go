package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// brokerTimeout is how long a delivery may be unacked by default. AMQP does not tell the broker's
// configuration.
const brokerTimeout = 30 * time.Minute

// settings checks the fields of a topology file that are not part of a plan.
func settings(f Facts) []Finding {
	var found []Finding
	for _, c := range f.Consumers {
		subject := "consumer " + c.Plan.Queue
		concurrency := cmp.Or(c.Concurrency, consumer.DefaultConcurrency)
		prefetch := cmp.Or(c.Prefetch, max(consumer.DefaultPrefetch, 2*concurrency))
		if prefetch < concurrency {
			found = append(found, Finding{Serious, "prefetch", subject, fmt.Sprintf("its prefetch is %d, below its concurrency %d", prefetch, concurrency),
				"Handlers would wait for messages that the broker does not send; the consumer refuses to start.", "Raise the prefetch, or leave it out.", pageOperations})
			continue
		}
		if c.Timeout < 0 {
			found = append(found, Finding{Warning, "slow", subject, "its handlers have no timeout",
				"The broker takes back all that a consumer holds when one message is unacked for 30 minutes (its consumer_timeout), and delivers it again.",
				"Set a timeout, or raise the broker's.", pageTimeout})
			continue
		}
		each := cmp.Or(c.Timeout, consumer.DefaultTimeout) + cmp.Or(c.Grace, consumer.DefaultGrace)
		rounds := int64((prefetch + concurrency - 1) / concurrency)
		slowest := time.Duration(math.MaxInt64)
		if int64(each) <= math.MaxInt64/rounds {
			slowest = time.Duration(int64(each) * rounds)
		}
		if slowest > brokerTimeout {
			found = append(found, Finding{Warning, "slow", subject, fmt.Sprintf("the last of %d messages taken ahead may wait %s for its ack: %d at once, each up to %s", prefetch, slowest, concurrency, each),
				"The broker takes back all that a consumer holds when one message is unacked for 30 minutes (its consumer_timeout), and delivers it again.",
				"Lower the prefetch or the timeout, raise the concurrency, or raise the broker's limit.", pageTimeout})
		}
	}
	return found
}

// rights returns findings about permissions that a consumer needs and this user lacks.
func rights(f Facts) []Finding {
	var found []Finding
	if f.Blocked != "" {
		found = append(found, Finding{Serious, "blocked", "connection to " + f.Peer.Addr, "the broker takes no messages: " + f.Blocked,
			"Nothing can be published, retried or parked until its alarm is over. Consuming goes on.",
			"Free disk or memory, or find the queue that grows.", pageAlarms})
	} else if !f.Publish {
		found = append(found, Finding{Warning, "may-not-publish", "user " + f.Peer.User, "it may not publish to queues",
			"A consumer that logs in as this user can neither retry nor park: it holds what fails.", "If a consumer does, give it write on amq.default.", pageSecurity})
	}
	for _, queue := range slices.Sorted(maps.Keys(f.Read)) {
		if !f.Read[queue] {
			found = append(found, Finding{Warning, "may-not-consume", "user " + f.Peer.User, fmt.Sprintf("it may not consume from queue %s", queue),
				"A consumer that logs in as this user does not start, or stands still when a message waits in quarantine.", "If a consumer does, give it read on that queue.", pageSecurity})
		}
	}
	return found
}
