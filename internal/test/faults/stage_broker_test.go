//go:build unix

package faults_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// heartbeat is the heartbeat of a lane's connections; see lane.connect. A peer that is silent for
// one and a half of it is disconnected.
const heartbeat = 2 * time.Second

var classicOnly = []topology.QueueType{topology.Classic}

// restartBroker stops the broker cleanly, and starts it again. It is a fault.
func (s *stage) restartBroker() {
	s.t.Helper()
	s.fault(func() { s.outage(s.broker.Stop) })
}

// killBroker is kill -9 of the broker, which is then started again. It is a fault. The queues must
// have been settled; see amqptest.Broker.Settle.
func (s *stage) killBroker() {
	s.t.Helper()
	s.fault(func() { s.outage(s.broker.Kill) })
}

// outage ends the broker and starts it again. Meanwhile the proxies refuse connections, as the port
// of a stopped broker does. Otherwise they would accept connections and close them.
func (s *stage) outage(end func()) {
	s.t.Helper()
	s.allLinks().refuse()
	end()
	s.broker.Start()
	s.allLinks().accept()
}

// endWorkers stops all workers, and starts no others. It is no fault.
func (s *stage) endWorkers() {
	s.t.Helper()
	s.each(func(l *lane) {
		for _, slot := range l.slots {
			if !slot.end(s.scenario.grace + 5*time.Second) {
				s.t.Errorf("%s: worker %d did not end after SIGTERM\n%s", l.kind, slot.number, slot.process().tail())
			}
		}
	})
}

// stopWorker is SIGTERM for one worker in each lane, in turn, whatever state its broker is in. It
// returns when that worker has ended within its time. The next worker may have to wait for the
// broker: see awaitWorkers.
func (s *stage) stopWorker() {
	s.t.Helper()
	s.each(func(l *lane) {
		p := l.slots[s.next%len(l.slots)].process()
		if !p.terminate(s.scenario.grace) {
			s.t.Errorf("%s: %s did not end in %s after SIGTERM\n%s", l.kind, p.name, s.scenario.grace, p.tail())
		}
	})
	s.next++
}

// awaitWorkers waits until all workers consume.
func (s *stage) awaitWorkers() {
	s.t.Helper()
	s.each(func(l *lane) {
		for _, slot := range l.slots {
			if !slot.awaitReady(nil, time.Minute) {
				s.t.Errorf("%s: worker %d is not ready after a minute\n%s", l.kind, slot.number, slot.process().tail())
			}
		}
	})
}

// logLine is a line of a worker's log.
type logLine struct {
	at   time.Time
	text string
}

// logs returns the lines of a worker's log with this message, from a time on.
func (p *process) logs(message string, since time.Time) []logLine {
	text, err := os.ReadFile(filepath.Join(p.dir, p.name+".log"))
	if err != nil {
		return nil // it has written nothing yet
	}
	var found []logLine
	for line := range bytes.Lines(text) {
		// A line begins with time=2026-01-02T15:04:05.678Z level=WARN msg="connection lost".
		when, rest, _ := strings.Cut(strings.TrimPrefix(string(line), "time="), " ")
		at, err := time.Parse(time.RFC3339Nano, when)
		if err != nil || !strings.Contains(rest, "msg="+message+" ") && !strings.Contains(rest, `msg="`+message+`"`) {
			continue
		}
		if !at.Before(since.Truncate(time.Millisecond)) {
			found = append(found, logLine{at, rest})
		}
	}
	return found
}

// losing waits until every worker that consumes, and every publisher, reports that it has lost all
// its connections since that time.
func (s *stage) losing(since time.Time, within time.Duration) {
	s.t.Helper()
	s.each(func(l *lane) {
		for _, slot := range l.slots {
			p := slot.process()
			if !p.started() {
				continue
			}
			var lost []logLine
			if !l.await(within-time.Since(since), func() bool {
				lost = p.logs("connection lost", since)
				return len(lost) >= 2 || p.asked.Load() // one to consume, one to publish copies
			}) {
				s.t.Errorf("%s: %s has noticed the loss of %d connections after %s, want 2", l.kind, p.name, len(lost), within)
			}
		}
		if !l.await(within-time.Since(since), func() bool {
			h := l.account.conn.Health().Publishing
			return !h.Connected && h.Since.After(since)
		}) {
			s.t.Errorf("%s: the publisher has not noticed the loss after %s", l.kind, within)
		}
	})
}

// unbroken checks, at the end, that no connection was lost and nothing was delivered twice: the
// fault has caused delays only.
func (s *stage) unbroken() {
	s.t.Helper()
	s.finish()
	for _, r := range s.rows {
		if r.Duplicates > 0 {
			s.t.Errorf("%s: %d messages are there twice", r.Queue, r.Duplicates)
		}
	}
	for _, l := range s.lanes {
		for _, p := range l.processes {
			if p.last != nil && p.last.SessionsLost > 0 {
				s.t.Errorf("%s: %s lost %d connections", l.kind, p.name, p.last.SessionsLost)
			}
		}
		if n := l.account.conn.Health().Publishing.Lost; n > 0 {
			s.t.Errorf("%s: the publisher lost %d connections", l.kind, n)
		}
		for _, e := range l.poll() {
			if e.What == begin && e.Redelivered {
				s.t.Errorf("%s: message %d was given back", l.kind, e.N)
			}
		}
	}
}

// placed returns how many copies wait or are parked.
func (l *lane) placed() int { return l.depth(topology.RoleError) + l.depth(topology.RoleRetry) }
