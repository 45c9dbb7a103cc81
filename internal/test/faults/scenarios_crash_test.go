//go:build unix

package faults_test

import (
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// crashScenarios have messages that kill the process that handles them.
var crashScenarios = []scenario{
	{
		name:   "killer-one-worker",
		breaks: "a message kills its process each time, among 39 others in the same prefetch",
		types:  quorumOnly, spec: crashSpec, within: time.Minute,
		run: killer(1),
	},
	{
		name:   "killer-four-workers",
		breaks: "the same with four workers",
		types:  quorumOnly, spec: crashSpec, within: time.Minute,
		run: killer(4),
	},
	{
		name:   "killers-among-many",
		breaks: "eight messages that kill their process, one way or another, among hundreds that do not, with four workers",
		types:  quorumOnly, spec: crashSpec, within: time.Minute,
		run: func(s *stage) {
			s.workers(4)
			s.publish(mix{"slow 20ms": 300, "ack": 100, "retry 1": 20, "error": 10, "kill": 3, "exit": 3, "exhaust": 2})
		},
	},
}

var crashSpec = consumer.Spec{Concurrency: 8, Prefetch: 40, MaxCrashes: 5}

// killer publishes the killer among others before any consumer starts.
func killer(workers int) func(s *stage) {
	return func(s *stage) {
		s.publish(mix{"slow 20ms": 39, "kill": 1})
		s.published()
		s.workers(workers)
		s.finish()
		for _, l := range s.lanes {
			if n := l.begun("kill"); n != crashSpec.MaxCrashes {
				s.t.Errorf("the killer was handled %d times, want %d", n, crashSpec.MaxCrashes)
			}
		}
	}
}
