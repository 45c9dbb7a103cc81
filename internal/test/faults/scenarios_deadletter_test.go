//go:build unix

package faults_test

import (
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// soonAgain is how soon a broker retries a dead letter that its target did not confirm. The default
// is three minutes.
var soonAgain = []amqptest.Setting{{Name: "dead_letter_worker_publisher_confirm_timeout", Value: "4000"}}

// deadLetterScenarios have messages whose time in the retry queues ends while the main queue cannot
// take them. Quorum queues keep such messages, but do not count them in their depth.
var deadLetterScenarios = []scenario{
	{
		name: "main-queue-gone-when-retries-are-due", on: own, settings: soonAgain, types: quorumOnly, spec: waitingSpec,
		breaks: "nobody consumes, and the empty main queue is deleted while retries wait; it is declared again when their time is over. The broker tries dead letters again after 4 s",
		run: func(s *stage) {
			s.retriesWait(80)
			s.delete(topology.RoleMain)
			s.fault(s.due)
			s.workers(2)
		},
	},
	{
		name: "main-queue-full-when-retries-are-due", on: own, settings: soonAgain, types: quorumOnly, spec: waitingSpec,
		breaks: "the same where the main queue is full, by a policy with max-length",
		run: func(s *stage) {
			s.retriesWait(80)
			s.broker.Ctl("set_policy", "full", "^faults-.*-0$", `{"max-length": 50}`, "--apply-to", "queues")
			s.publish(mix{"ack": 200})
			s.published()
			if n := s.lanes[0].account.failed(s.began); n == 0 {
				s.t.Error("the main queue took all, and is not full")
			}
			s.fault(s.due)
			// The policy stays: on RabbitMQ 3.10, channels that a queue has refused because of it
			// do not learn that it is gone.
			s.workers(2)
		},
	},
	{
		name: "main-queue-gone-for-three-minutes", on: aside, types: quorumOnly, spec: waitingSpec, within: 4 * time.Minute,
		breaks: "the main queue is gone as above, and the broker tries dead letters again when it does by default: after three minutes",
		run: func(s *stage) {
			s.retriesWait(80)
			s.delete(topology.RoleMain)
			s.fault(s.due)
			s.workers(2)
		},
	},
}

// waitingSpec leaves time to stop the workers while all messages wait.
var waitingSpec = consumer.Spec{Backoff: []time.Duration{10 * time.Second}}

// retriesWait leaves n messages in the retry queue, none in the main queue, and no worker.
func (s *stage) retriesWait(n int) {
	s.t.Helper()
	s.workers(1)
	s.publish(mix{"retry 1": n})
	s.holds(topology.RoleRetry, n)
	s.endWorkers()
	s.each(func(l *lane) {
		if waiting, left := l.depth(topology.RoleRetry), l.depth(topology.RoleMain); waiting != n || left != 0 {
			s.t.Errorf("%s: %d messages wait and %d are in the main queue, want %d and 0", l.kind, waiting, left, n)
		}
	})
}

// due waits until the delay of all retries has ended, and some time more, in which the broker finds
// that it cannot move them.
func (s *stage) due() {
	s.t.Helper()
	s.each(func(l *lane) {
		full := l.depth(topology.RoleMain)
		if !l.await(15*time.Second, func() bool { return l.depth(topology.RoleRetry) == 0 }) {
			s.t.Errorf("%s: %d messages still wait", l.kind, l.depth(topology.RoleRetry))
		}
		time.Sleep(time.Second)
		if n := l.depth(topology.RoleMain); n > full+5 {
			s.t.Errorf("%s: the main queue took %d more", l.kind, n-full)
		}
	})
}
