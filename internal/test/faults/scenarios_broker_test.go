//go:build unix

package faults_test

import (
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
)

// unmoved is a mix without waits in retry queues. So the broker itself never moves a message from
// queue to queue, for which a classic queue gives no promise.
var unmoved = mix{"ack": 80, "slow 100ms": 10, "error": 5, "garbage": 1}

// brokerScenarios stop, kill and freeze the broker, and make it close connections.
var brokerScenarios = []scenario{
	{
		name: "broker-restarts", on: victim, types: quorumOnly,
		breaks: "the broker is stopped in order and started again, while all kinds of messages flow",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			s.traffic(2 * time.Second)
			s.restartBroker()
			s.traffic(time.Second)
		},
	},
	{
		name: "broker-restarts-classic", on: victim, types: classicOnly,
		breaks: "the same where no message waits in a retry queue",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, unmoved)
			s.traffic(2 * time.Second)
			s.restartBroker()
			s.traffic(time.Second)
		},
	},
	{
		name: "broker-killed", on: victim, types: quorumOnly,
		breaks: "the broker is killed (SIGKILL) and started again, twice, while all kinds of messages flow",
		run: func(s *stage) {
			s.workers(2)
			s.broker.Settle()
			s.stream(200, usual)
			for range 2 {
				s.traffic(2 * time.Second)
				s.killBroker()
			}
		},
	},
	{
		name: "broker-killed-classic", on: victim, types: classicOnly,
		breaks: "the same, once, where no message waits in a retry queue",
		run: func(s *stage) {
			s.workers(2)
			s.broker.Settle()
			s.stream(200, unmoved)
			s.traffic(2 * time.Second)
			s.killBroker()
		},
	},
	{
		name: "broker-killed-between-copy-and-ack", on: victim, types: quorumOnly,
		breaks: "every message is retried twice, some hundreds of copies a second, and the broker is killed in the middle, three times",
		spec:   consumer.Spec{Concurrency: 16, Prefetch: 60},
		run: func(s *stage) {
			s.workers(2)
			s.broker.Settle()
			s.stream(300, mix{"retry 2": 1})
			for range 3 {
				s.handling(1_000)
				s.killBroker()
			}
		},
	},
	{
		name: "broker-killed-while-all-wait", on: victim, types: quorumOnly,
		breaks: "the broker is killed while messages wait in the retry queues, parked ones in the error queue and new ones in the main queue, and nobody consumes",
		spec:   consumer.Spec{Backoff: []time.Duration{15 * time.Second, time.Second}},
		run: func(s *stage) {
			s.workers(1)
			s.broker.Settle()
			s.publish(mix{"retry 1": 100, "retry 2": 100, "retry-always": 20, "error": 50})
			s.holds(topology.RoleRetry, 220)
			s.holds(topology.RoleError, 50)
			s.endWorkers()
			s.publish(mix{"ack": 50})
			s.published()
			s.killBroker()
			s.holds(topology.RoleError, 50)
			s.workers(2)
		},
	},
	{
		name: "broker-frozen", on: victim,
		breaks: "the broker's process stands still (SIGSTOP) for 7 s, more than three heartbeats; a worker is stopped meanwhile",
		run: func(s *stage) {
			s.workers(3)
			s.stream(150, usual)
			s.traffic(2 * time.Second)
			s.fault(func() {
				s.broker.Freeze()
				frozen := time.Now()
				s.stopWorker() // before the worker has noticed the fault
				s.losing(frozen, 2*heartbeat+time.Second)
				s.traffic(7*time.Second - time.Since(frozen))
				s.broker.Thaw()
			})
			s.awaitWorkers()
		},
	},
	{
		name: "broker-frozen-shortly", on: victim,
		breaks: "the same for 1.5 s, less than a heartbeat allows: nothing is lost, and nothing happens twice",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			s.traffic(time.Second)
			s.fault(func() {
				s.broker.Freeze()
				s.traffic(1500 * time.Millisecond)
				s.broker.Thaw()
			})
			s.unbroken()
		},
	},
	{
		name: "broker-closes-all-connections", on: victim,
		breaks: "an operator closes all connections (rabbitmqctl close_all_connections), three times",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			for range 3 {
				s.traffic(time.Second)
				s.fault(func() { s.broker.CloseConnections("maintenance") })
			}
		},
	},
}
