//go:build unix

package faults_test

import (
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// ackTimeoutScenarios have handlers that take longer than the broker waits for an ack. By default
// it waits for half an hour, and checks once a minute.
var ackTimeoutScenarios = []scenario{
	{
		name: "ack-timeout", on: own, types43: quorumOnly, // classic queues wait for ever there
		settings: []amqptest.Setting{{Name: "consumer_timeout", Value: "2000"}, {Name: "channel_tick_interval", Value: "500"}},
		breaks:   "the broker closes channels, or from 4.3 on cancels subscriptions, whose handlers take longer than it waits for an ack (consumer_timeout): with three messages once in each worker, and with one each time",
		spec:     consumer.Spec{MaxCrashes: 3},
		run: func(s *stage) {
			s.workers(2)
			s.stream(80, mix{"ack": 95, "retry 1": 5})
			s.traffic(time.Second)
			s.fault(func() {
				s.publish(mix{"tardy 4s": 3})
				s.each(func(l *lane) {
					if !l.await(30*time.Second, func() bool { return l.promptly("tardy 4s") >= 3 }) {
						s.t.Errorf("%s: %d messages of a slow handler came again and were handled in time, want 3", l.kind, l.promptly("tardy 4s"))
					}
					if n := l.depth(topology.RoleError); n > 0 {
						s.t.Errorf("%s: %d messages are parked", l.kind, n)
					}
				})
			})
			// This message is delivered a hundred times in a quorum queue. All others go on.
			s.fault(func() {
				s.publish(mix{"outlast 4s": 1})
				s.handlingOf("outlast 4s", 3)
			})
			s.faults.Add(s.timeouts())
		},
	},
}

// promptly counts the messages of a behaviour whose last attempt took less than a second.
func (l *lane) promptly(do string) int {
	type run struct {
		n       int
		process string
	}
	began := map[run]time.Time{}
	done := map[int]bool{}
	for _, e := range l.poll() {
		if p, ok := l.account.get(e.N); !ok || p.do != do {
			continue
		}
		r := run{e.N, e.process}
		switch {
		case e.What == begin:
			began[r] = e.time()
		case e.What == end && e.time().Sub(began[r]) < time.Second:
			done[e.N] = true
		}
	}
	return len(done)
}

// timeouts returns how often the broker stopped waiting for an ack, in the lane with the most
// timeouts. Each lane must have one.
func (s *stage) timeouts() int64 {
	s.t.Helper()
	most, says := 0, "delivery acknowledgement on channel"
	if amqptest.AtLeast(s.t, 4, 3) {
		says = "the broker cancelled the subscription"
	}
	for _, l := range s.lanes {
		n := 0
		for _, p := range l.processes {
			for _, line := range p.logs("consumer interrupted", s.began) {
				if strings.Contains(line.text, says) {
					n++
				}
			}
		}
		if n == 0 {
			s.t.Errorf("%s: the broker has waited for every ack", l.kind)
		}
		most = max(most, n)
	}
	return int64(most)
}
