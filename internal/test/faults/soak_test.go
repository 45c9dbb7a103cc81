//go:build unix

package faults_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// soakFault is one of the faults that the soak draws from.
type soakFault struct {
	name string
	odds int // its relative frequency
	// do breaks and mends. It takes all chance from random, in the same order each time.
	do func(s *stage, random *rand.Rand)
	// restarts says that the broker forgets what it had not written to disk: classic queues may
	// lose messages then.
	restarts bool
}

var soakFaults = []soakFault{
	{name: "cut the workers", odds: 6, do: func(s *stage, _ *rand.Rand) { s.workerLinks().cut() }},
	{name: "cut the publishers", odds: 4, do: func(s *stage, _ *rand.Rand) { s.publisherLinks().cut() }},
	{name: "cut everything", odds: 4, do: func(s *stage, _ *rand.Rand) { s.allLinks().cut() }},
	{name: "freeze the links", odds: 5, do: func(s *stage, random *rand.Rand) {
		s.allLinks().freeze()
		s.traffic(between(random, 200*time.Millisecond, 5*time.Second))
		s.allLinks().thaw()
	}},
	{name: "half-open links", odds: 3, do: func(s *stage, random *rand.Rand) {
		s.allLinks().blackhole([]amqptest.Direction{amqptest.Both, amqptest.ToBroker, amqptest.ToClient}[random.IntN(3)])
	}},
	{name: "half-closed links", odds: 2, do: func(s *stage, random *rand.Rand) {
		s.allLinks().halfClose([]amqptest.Direction{amqptest.ToBroker, amqptest.ToClient}[random.IntN(2)])
	}},
	{name: "slow links", odds: 3, do: func(s *stage, random *rand.Rand) {
		s.allLinks().slow(between(random, 10*time.Millisecond, 300*time.Millisecond), 50+random.IntN(500))
		s.traffic(between(random, time.Second, 4*time.Second))
		s.allLinks().fast()
	}},
	{name: "broker out of reach", odds: 3, do: func(s *stage, random *rand.Rand) {
		s.allLinks().refuse()
		s.allLinks().cut()
		s.traffic(between(random, 500*time.Millisecond, 4*time.Second))
		s.allLinks().accept()
	}},
	{name: "kill a worker", odds: 6, do: func(s *stage, _ *rand.Rand) { s.kill() }},
	{name: "close all connections", odds: 2, do: func(s *stage, _ *rand.Rand) { s.broker.CloseConnections("soak") }},
	{name: "memory alarm", odds: 2, do: func(s *stage, random *rand.Rand) {
		s.broker.MemoryAlarm(true)
		s.traffic(between(random, time.Second, 4*time.Second))
		s.broker.MemoryAlarm(false)
	}},
	{name: "disk alarm", odds: 1, do: func(s *stage, random *rand.Rand) {
		s.broker.DiskAlarm(true)
		s.traffic(between(random, time.Second, 4*time.Second))
		s.broker.DiskAlarm(false)
	}},
	{name: "freeze the broker", odds: 2, do: func(s *stage, random *rand.Rand) {
		s.broker.Freeze()
		s.traffic(between(random, 500*time.Millisecond, 5*time.Second))
		s.broker.Thaw()
	}},
	{name: "restart the broker", odds: 2, restarts: true, do: func(s *stage, _ *rand.Rand) { s.outage(s.broker.Stop) }},
	{name: "kill the broker", odds: 2, restarts: true, do: func(s *stage, _ *rand.Rand) { s.outage(s.broker.Kill) }},
}

// TestSoak breaks something every few seconds, for as long as the flag -soak says, while messages
// of all behaviours flow. At the end it counts the messages. The flag -seed repeats the same
// faults.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("only with -soak, as in -soak 10m")
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano() % 1_000_000)
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	sc := scenario{
		name: "soak", recovery: 20 * time.Second, within: 2 * time.Minute, publishes: true,
		spec: consumer.Spec{Concurrency: 8, Prefetch: 20, Timeout: 4 * time.Second},
	}
	g := lonely(t, sc)
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
	}
	say("soak for %s; play it again with -soak %[1]s -seed %d", *soakFor, *seed)
	s := newStage(t, sc, g)
	defer s.finish()
	s.workers(3)
	for _, l := range s.lanes {
		m := mix{
			"ack": 1000, "slow 200ms": 90, "retry 1": 60, "retry 3": 15, "retry-always": 15, "error": 30, "panic": 10, "deep-panic": 5,
			"goexit": 5, "snooze 500ms": 30, "garbage": 10, "forward": 60, "overtime 1s": 10, "overtime 6s": 3,
		}
		if l.kind == topology.Quorum { // in a classic queue a killer is delivered for ever
			m["kill"] = 1
		}
		l.account.stream(60, m)
	}
	s.traffic(3 * time.Second)
	s.broker.Settle()

	began, told := time.Now(), time.Now()
	var done int
	for time.Since(began) < *soakFor && !t.Failed() {
		s.traffic(between(random, time.Second, 5*time.Second))
		f := draw(random)
		if random.IntN(8) == 0 {
			say("deploy")
			s.restartWorker()
		}
		if f.restarts {
			s.lossy(topology.Classic)
		}
		at := time.Now()
		s.fault(func() { f.do(s, random) })
		done++
		say("%s: at work again after %s", f.name, time.Since(at).Round(10*time.Millisecond))
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			for _, l := range s.lanes {
				say("  %s after %s: %s", l.kind, time.Since(began).Round(time.Second), l.progress())
			}
		}
	}
	say("%d faults; waiting for the work to end", done)
	s.finish()
	for _, r := range s.rows {
		say("%s", r)
	}
}

func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

func draw(random *rand.Rand) soakFault {
	sum := 0
	for _, f := range soakFaults {
		sum += f.odds
	}
	at := random.IntN(sum)
	for _, f := range soakFaults {
		if at -= f.odds; at < 0 {
			return f
		}
	}
	panic("not reached")
}

// progress describes the state of a lane, in one line.
func (l *lane) progress() string {
	published, confirmed, acked := 0, 0, map[int]bool{}
	for _, p := range l.account.all() {
		published++
		if p.confirmed() {
			confirmed++
		}
	}
	for _, e := range l.poll() {
		if e.What == end && e.Said == "ack" {
			acked[e.N] = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d published, %d confirmed, %d acked, %d processes so far", published, confirmed, len(acked), len(l.processes))
}
