//go:build unix

package faults_test

import (
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// linkScenarios break the network between the broker and its clients.
var linkScenarios = []scenario{
	{
		name: "consumers-cut", quick: true,
		breaks: "the workers' TCP connections are reset, three times",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			for range 3 {
				s.traffic(700 * time.Millisecond)
				s.fault(func() { s.workerLinks().cut() })
			}
		},
	},
	{
		name: "publishers-cut", quick: true,
		breaks: "the publisher's TCP connection is reset, three times",
		run: func(s *stage) {
			s.workers(1)
			s.stream(200, usual)
			for range 3 {
				s.traffic(700 * time.Millisecond)
				s.fault(func() { s.publisherLinks().cut() })
			}
		},
	},
	{
		name:   "all-cut-repeatedly",
		breaks: "every TCP connection is reset, six times within some seconds",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			for range 6 {
				s.traffic(300 * time.Millisecond)
				s.fault(func() { s.allLinks().cut() })
			}
		},
	},
	{
		name:   "broker-out-of-reach",
		breaks: "every TCP connection is reset, and new ones are refused for three seconds",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			s.traffic(time.Second)
			s.fault(func() {
				s.allLinks().refuse()
				s.allLinks().cut()
				s.traffic(3 * time.Second)
				s.allLinks().accept()
			})
		},
	},
	{
		name:   "link-freezes-shortly",
		breaks: "nothing passes for a second, less than the heartbeat allows, and then all of it",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			s.traffic(700 * time.Millisecond)
			s.fault(func() {
				s.allLinks().freeze()
				s.traffic(time.Second)
				s.allLinks().thaw()
			})
		},
	},
	{
		name:   "link-freezes",
		breaks: "nothing passes for twice as long as the heartbeat allows",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			s.traffic(700 * time.Millisecond)
			s.fault(func() {
				s.allLinks().freeze()
				s.traffic(6 * time.Second)
				s.allLinks().thaw()
			})
		},
	},
	{
		name:     "links-half-open",
		breaks:   "what is sent over the open connections goes nowhere, either way, and nobody is told",
		recovery: 8 * time.Second,
		run:      halfOpen(amqptest.Both),
	},
	{
		name:     "links-deaf",
		breaks:   "what the broker sends over the open connections goes nowhere",
		recovery: 8 * time.Second,
		run:      halfOpen(amqptest.ToClient),
	},
	{
		name:     "links-mute",
		breaks:   "what is sent to the broker over the open connections goes nowhere",
		recovery: 10 * time.Second, // only the broker can notice the fault
		run:      halfOpen(amqptest.ToBroker),
	},
	{
		name:     "links-half-closed",
		breaks:   "the broker's side of every TCP connection is told that it has ended (FIN), the other is not",
		recovery: 8 * time.Second,
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			s.traffic(700 * time.Millisecond)
			s.fault(func() { s.allLinks().halfClose(amqptest.ToBroker) })
			s.fault(func() { s.allLinks().halfClose(amqptest.ToClient) })
		},
	},
	{
		name:   "links-slow",
		breaks: "everything is 200 ms late each way, at 100 kB a second, for six seconds",
		run: func(s *stage) {
			s.workers(2)
			s.stream(150, usual)
			s.traffic(700 * time.Millisecond)
			s.fault(func() {
				s.allLinks().slow(200*time.Millisecond, 100)
				s.traffic(6 * time.Second)
				s.allLinks().fast()
			})
		},
	},
}

// halfOpen drops bytes in this direction on the existing connections; new connections work.
func halfOpen(d amqptest.Direction) func(s *stage) {
	return func(s *stage) {
		s.workers(2)
		s.stream(150, usual)
		s.traffic(700 * time.Millisecond)
		s.fault(func() { s.allLinks().blackhole(d) })
	}
}
