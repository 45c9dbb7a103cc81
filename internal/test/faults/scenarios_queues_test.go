//go:build unix

package faults_test

import (
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
)

// queueScenarios delete queues, or fill them.
var queueScenarios = []scenario{
	{
		name:   "main-queue-deleted",
		breaks: "the main queue is deleted under its consumers, while messages wait in the retry queue",
		spec:   consumer.Spec{Backoff: []time.Duration{4 * time.Second}},
		run: func(s *stage) {
			s.workers(2)
			s.publish(mix{"retry 1": 40})
			s.holds(topology.RoleRetry, 40)
			s.stream(100, mix{"ack": 1})
			s.traffic(500 * time.Millisecond)
			s.fault(func() {
				s.delete(topology.RoleMain)
				deleted := time.Now()
				// The operator's deletion may lose messages that no handler has had yet, and no
				// others.
				s.each(func(l *lane) {
					seen := map[int]bool{}
					for _, e := range l.poll() {
						seen[e.N] = true
					}
					l.account.forgive(deleted, func(n int, _ posting) bool { return !seen[n] })
				})
			})
		},
	},
	{
		name:   "retry-queues-deleted",
		breaks: "the retry queues, which are empty, are deleted, and then messages are retried",
		run: func(s *stage) {
			s.workers(2)
			s.stream(50, mix{"ack": 1})
			s.traffic(300 * time.Millisecond)
			s.fault(func() {
				s.delete(topology.RoleRetry)
				s.publish(mix{"retry 2": 40, "snooze 150ms": 5})
				s.handlingOf("retry 2", 40)
			})
			s.finish()
			s.held()
		},
	},
	{
		name:   "retry-queues-deleted-for-long",
		breaks: "the retry queues, which are empty, are deleted, and only an operator declares them again, after two seconds",
		spec:   consumer.Spec{Redeclare: consumer.RedeclareOff},
		within: 30 * time.Second,
		run: func(s *stage) {
			const retries = 24 // the two workers hold 20 each
			s.workers(2)
			s.stream(50, mix{"ack": 1})
			s.traffic(300 * time.Millisecond)
			s.fault(func() {
				s.delete(topology.RoleRetry)
				s.publish(mix{"retry 1": retries})
				s.handlingOf("retry 1", retries)
				s.healths(5*time.Second, "all copies blocked", func(all []vitals) bool { return blocked(all) == retries })
				s.handling(75) // other messages are handled
				s.handledOnce("retry 1", retries)
				s.declare()
			})
			s.finish()
			s.held()
		},
	},
	{
		name:   "error-queue-full",
		breaks: "the error queue takes no more messages for some seconds, until everything that the worker may hold is held; then its limit is raised",
		on:     victim, recovery: 15 * time.Second,
		run: errorQueueFull(func(s *stage) { s.limit("error", 100_000) }),
	},
	{
		name:   "error-queue-limit-lifted",
		breaks: "the same, and then the limit is lifted, which RabbitMQ 3.10 does not tell a channel that it has refused",
		on:     victim, recovery: 15 * time.Second,
		run: errorQueueFull(func(s *stage) { s.broker.Ctl("clear_policy", "limit") }),
	},
}

// limit sets a length limit on the lanes' queues with this suffix, by a policy.
func (s *stage) limit(ending string, messages int) {
	s.t.Helper()
	s.broker.Ctl("set_policy", "limit", "^faults-"+s.scenario.name+"-.*-"+ending+"$", fmt.Sprintf(`{"max-length":%d}`, messages), "--apply-to", "queues")
}

// errorQueueFull has a recovery of 15 s: a copy is retried after up to 10 s, and a consumer whose
// copies are all blocked takes no other messages.
func errorQueueFull(makeRoom func(s *stage)) func(s *stage) {
	return func(s *stage) {
		const fill, few, prefetch = 10, 10, 20
		s.workers(1)
		s.stream(50, mix{"ack": 1})
		s.publish(mix{"error": fill})
		s.holds(topology.RoleError, fill)
		s.fault(func() {
			s.limit("error", fill/2)
			s.publish(mix{"error": few}) // a quorum queue may take some of them
			s.handlingOf("error", fill+few)
			s.healths(5*time.Second, "some copies blocked", func(all []vitals) bool { return blocked(all) > 0 })
			s.handling(75) // there is room for others
			s.handledOnce("error", fill+few)
			s.publish(mix{"error": 2 * prefetch})
			s.healths(20*time.Second, "all that may be held blocked", func(all []vitals) bool { return blocked(all) == prefetch })
			s.each(func(l *lane) {
				before := l.begun("")
				time.Sleep(time.Second) // nothing may happen meanwhile
				if n := l.begun("") - before; n > 0 {
					s.t.Errorf("%s: %d handlers began while all that may be held was held", l.kind, n)
				}
			})
			makeRoom(s)
		})
		s.finish()
		s.handledOnce("error", fill+few+2*prefetch)
	}
}

// blocked returns how many copies are blocked.
func blocked(all []vitals) int {
	n := 0
	for _, v := range all {
		n += v.CopiesBlocked
	}
	return n
}

// handledOnce checks that so many messages of this behaviour were handled, each once: none was
// given back and delivered again and again.
func (s *stage) handledOnce(do string, n int) {
	s.t.Helper()
	s.each(func(l *lane) {
		times := map[int]int{}
		for _, e := range l.poll() {
			if p, ok := l.account.get(e.N); ok && e.What == begin && p.do == do {
				times[e.N]++
			}
		}
		if len(times) != n {
			s.t.Errorf("%s: %d messages of %q were handled, want %d", l.kind, len(times), do, n)
		}
		for message, k := range times {
			if k != 1 {
				s.t.Errorf("%s: message %d (%s) was handled %d times, want once", l.kind, message, do, k)
			}
		}
	})
}

// held checks that a worker had blocked copies.
func (s *stage) held() {
	s.t.Helper()
	for _, l := range s.lanes {
		if !l.logged("copy not placed, holding the message") {
			s.t.Errorf("%s: no copy was held", l.kind)
		}
	}
}
