//go:build unix

package faults_test

import (
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// workerScenarios end the processes that handle messages.
var workerScenarios = []scenario{
	{
		name: "worker-killed", quick: true,
		breaks: "one of two workers is killed (SIGKILL) in the middle of its handlers, four times",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, mix{"slow 50ms": 50, "ack": 40, "retry 1": 5, "error": 5})
			for range 4 {
				s.handling(50)
				s.killWorker()
			}
		},
	},
	{
		name:   "deploys",
		breaks: "ten deploys in a row (SIGTERM) while handlers take a second",
		spec:   consumer.Spec{Concurrency: 8, Prefetch: 20, MaxCrashes: 3},
		run: func(s *stage) {
			s.workers(2)
			s.stream(10, mix{"slow 1s": 8, "ack": 1, "retry 1": 1})
			for range 10 {
				s.handling(5)
				s.restartWorker()
			}
		},
	},
	{
		name:   "deploys-interrupt",
		breaks: "three deploys in a row that have no time for the handlers to end, whose messages are copied back",
		spec:   consumer.Spec{Concurrency: 8, Prefetch: 20, MaxCrashes: 3},
		grace:  5 * time.Second,
		run: func(s *stage) {
			s.workers(1)
			s.publish(mix{"slow 5s": 8, "ack": 40, "retry 1": 5})
			for i := range 3 {
				s.handlingOf("slow 5s", 8*(i+1))
				s.restartWorker()
			}
		},
	},
	{
		name:   "workers-killed-in-a-row",
		breaks: "eight times one of four workers is killed (SIGKILL) with a full prefetch of 40, and no message is to blame",
		types:  quorumOnly, spec: crashSpec,
		run: func(s *stage) {
			s.workers(4)
			s.stream(50, mix{"ack": 1})
			s.publish(mix{"slow 50ms": 1200})
			for range 8 {
				s.handling(20)
				s.killWorker()
			}
		},
	},
}
