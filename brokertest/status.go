package brokertest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Status is how many messages are where, of one consumer: in its main queue, its retry queues, its
// quarantine and its error queue. The words are those of the command bunnicula status.
type Status struct {
	Ready      int // in the main queue, for a consumer to take
	Unacked    int // that its consumers have taken from the main queue, and not acked
	Waiting    int // in retry queues
	Quarantine int // set aside, to be handled alone; taken or not
	Parked     int // in the error queue
	// Kept is what the broker could not dead-letter yet, because no queue took it. A real broker
	// does not tell by AMQP: it is 0 there.
	Kept int
}

// Consumers is how many consumers a queue has.
func (b *Broker) Consumers(queue string) int {
	b.t.Helper()
	c, there := b.site.count(queue)
	if !there {
		b.t.Fatalf("brokertest: Consumers: %s", unknown(queue, b.site.queues()))
	}
	return c.consumers
}

// Status counts the messages of a consumer, by the name of its main queue. A queue without those
// beside it has zeros in their places. If there is no such queue the test fails. On a real broker
// Unacked is what this test's processes have taken.
func (b *Broker) Status(queue string) Status {
	b.t.Helper()
	b.site.rest()
	s, there := b.status(queue)
	if !there {
		b.t.Fatalf("brokertest: Status: %s", unknown(queue, b.site.queues()))
	}
	return s
}

func (b *Broker) status(queue string) (s Status, there bool) {
	main, there := b.site.count(queue)
	s.Ready, s.Unacked, s.Kept = main.ready, main.unacked, main.kept
	for _, retry := range b.retries(queue) {
		c, _ := b.site.count(retry)
		s.Waiting += c.ready + c.unacked
		s.Kept += c.kept
	}
	quarantine, _ := b.site.count(topology.QuarantineQueue(queue))
	s.Quarantine, s.Kept = quarantine.ready+quarantine.unacked, s.Kept+quarantine.kept
	parked, _ := b.site.count(b.errorQueue(queue))
	s.Parked, s.Kept = parked.ready+parked.unacked, s.Kept+parked.kept
	return s, there
}

// retries are the retry queues of a main queue.
func (b *Broker) retries(queue string) []string {
	return slices.DeleteFunc(b.site.queues(), func(name string) bool { return !isRetry(name, queue) })
}

func isRetry(name, main string) bool {
	delay, is := strings.CutPrefix(name, main+"-retry")
	if delay == "" {
		return is
	}
	_, err := time.ParseDuration(strings.TrimPrefix(delay, "-"))
	return is && err == nil && delay[0] == '-'
}

// errorQueue is where a main queue's messages are parked: what it dead-letters to, or the queue
// with the usual name.
func (b *Broker) errorQueue(queue string) string {
	usual := topology.ErrorQueue(queue)
	if dead := b.site.dead(queue); dead != "" && !slices.Contains(b.site.queues(), usual) {
		return dead
	}
	return usual
}

// Want fails the test if a consumer's messages are not where they should be, and says what differs.
func (b *Broker) Want(queue string, want Status) {
	b.t.Helper()
	b.site.rest()
	got, there := b.status(queue)
	if !there {
		b.t.Fatalf("brokertest: Want: %s", unknown(queue, b.site.queues()))
	}
	if got == want {
		return
	}
	var text strings.Builder
	for i, name := range words {
		if g, w := got.numbers()[i], want.numbers()[i]; g != w {
			fmt.Fprintf(&text, "\n%12s  %d, want %d", name, g, w)
		}
	}
	b.t.Errorf("brokertest: %s:%s%s", queue, text.String(), b.reasons(queue, got.Parked))
}

// words are the names of a Status's numbers.
var words = []string{"ready", "unacked", "waiting", "quarantine", "parked", "kept"}

func (s Status) numbers() []int {
	return []int{s.Ready, s.Unacked, s.Waiting, s.Quarantine, s.Parked, s.Kept}
}

// String is what is not zero, such as "1 ready, 2 parked".
func (s Status) String() string {
	var parts []string
	for i, n := range s.numbers() {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words[i]))
		}
	}
	if len(parts) == 0 {
		return "empty"
	}
	return strings.Join(parts, ", ")
}
