//go:build unix

package faults_test

import (
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// clockScenarios have hosts with different times of day. Three things depend on them: until when a
// message waits whose delay no single queue has (bunnicula-not-before), which losses of a
// connection came after a message (its timestamp), and the times for people.
var clockScenarios = []scenario{
	{
		name: "clocks-differ", on: victim, spec: clockSpec,
		tune:   withClocks(clock{Ahead: time.Hour}, clock{Ahead: -time.Hour}),
		breaks: "one worker's clock is an hour ahead of the publisher's and another's an hour behind; every TCP connection is reset, three times",
		run: func(s *stage) {
			s.workers(2)
			s.stream(100, clockMix)
			for range 3 {
				s.traffic(time.Second)
				s.fault(func() { s.allLinks().cut() })
			}
			s.clocksAreWrong()
		},
	},
	{
		name: "clocks-are-set", on: victim, spec: clockSpec,
		tune:   withClocks(clock{Ahead: time.Hour, After: 3 * time.Second}, clock{Ahead: -time.Hour, After: 3 * time.Second}),
		breaks: "the same, and both clocks are right until the workers have worked for some seconds",
		run: func(s *stage) {
			s.workers(2)
			s.stream(100, clockMix)
			for range 3 {
				s.traffic(1500 * time.Millisecond)
				s.fault(func() { s.allLinks().cut() })
			}
			s.clocksAreWrong()
		},
	},
	{
		name: "clocks-differ-and-links-flap", on: victim, types: quorumOnly,
		spec:   consumer.Spec{MaxCrashes: 3, Concurrency: 24, Prefetch: 30},
		tune:   withClocks(clock{Ahead: -time.Hour}),
		breaks: "the worker's clock is an hour behind the publisher's, and its connections are reset six times while the same messages are being handled",
		run: func(s *stage) {
			s.workers(1)
			s.publish(mix{"slow 4s": 3})
			s.handlingOf("slow 4s", 3)
			s.stream(50, mix{"ack": 1})
			for range 6 {
				s.traffic(300 * time.Millisecond)
				s.fault(func() { s.workerLinks().cut() })
			}
			s.clocksAreWrong()
		},
	},
	{
		name: "broker-clock-is-set", on: own, settings: []amqptest.Setting{amqptest.OwnClock}, types: quorumOnly,
		breaks: "the broker's clock is set an hour ahead and then two hours back while messages flow and wait, which changes nothing",
		run: func(s *stage) {
			s.workers(2)
			s.stream(100, clockMix)
			s.traffic(time.Second)
			s.fault(func() { s.brokerClock(time.Hour) })
			s.traffic(time.Second)
			s.fault(func() { s.brokerClock(-time.Hour) })
			s.traffic(time.Second)
			s.unbroken()
		},
	},
	{
		name: "broker-clock-is-set-and-it-restarts", on: own, settings: []amqptest.Setting{amqptest.OwnClock}, types: quorumOnly,
		breaks: "the broker's clock is set an hour ahead, and it is restarted: what waits in retry queues comes early",
		spec:   consumer.Spec{Backoff: []time.Duration{10 * time.Minute}},
		run: func(s *stage) {
			s.workers(2)
			s.publish(mix{"retry 1": 50})
			s.holds(topology.RoleRetry, 50)
			s.stream(100, mix{"ack": 1})
			s.brokerClock(time.Hour)
			s.restartBroker()
		},
	},
}

// brokerClock sets the broker's clock, and checks that the broker uses it.
func (s *stage) brokerClock(ahead time.Duration) {
	s.t.Helper()
	s.broker.SetClock(ahead)
	said := strings.TrimSpace(s.broker.Ctl("eval", "os:system_time(second)."))
	seconds, err := strconv.ParseInt(said, 10, 64)
	if off := time.Until(time.Unix(seconds, 0)) - ahead; err != nil || off.Abs() > time.Minute {
		s.t.Errorf("the broker's clock is ahead by %s, want %s (it says %q)", off+ahead, ahead, said)
	}
}

// clockSpec has a delay of which a snooze of 350 ms needs several.
var clockSpec = consumer.Spec{Delays: []time.Duration{200 * time.Millisecond}}

var clockMix = mix{"ack": 80, "retry 1": 4, "retry-always": 2, "error": 2, "snooze 350ms": 10, "slow 100ms": 5}
