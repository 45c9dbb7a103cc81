//go:build unix

package faults_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// stage runs a scenario. Its verbs act on all lanes at once.
type stage struct {
	t        testing.TB
	scenario scenario
	dir      string
	urls     []string
	began    time.Time

	broker  *amqptest.Broker  // nil on the shared broker and on a cluster
	cluster *amqptest.Cluster // only on a cluster

	lanes    []*lane
	rows     []row // of the lanes that have finished
	mu       sync.Mutex
	faults   atomic.Int64
	next     int // the worker that is killed or restarted next
	finished bool
}

// newStage makes a lane for each queue type.
func newStage(t testing.TB, sc scenario, g ground) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "bunnicula-faults-"+sc.name+"-")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, scenario: sc.withDefaults(), dir: dir, urls: g.urls, broker: g.broker, cluster: g.cluster, began: time.Now()}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journals and logs: %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for _, kind := range s.scenario.types {
		if err := os.Mkdir(filepath.Join(dir, string(kind)), 0o700); err != nil {
			t.Fatal(err)
		}
		l := newLane(s, kind)
		s.lanes = append(s.lanes, l)
		g.visitors.add(l.id, sc.name)
	}
	return s
}

// each calls do for every lane, concurrently. do must not end the test, but may fail it.
func (s *stage) each(do func(l *lane)) {
	var all sync.WaitGroup
	for _, l := range s.lanes {
		all.Go(func() { do(l) })
	}
	all.Wait()
}

// workers starts workers in each lane until it has n, and returns when all of them consume. A
// worker that dies is started again.
func (s *stage) workers(n int) {
	s.t.Helper()
	var more []*slot
	for _, l := range s.lanes {
		for range n {
			more = append(more, l.newSlot())
		}
	}
	for _, slot := range more {
		if !slot.awaitReady(nil, time.Minute) {
			s.t.Fatalf("%s: worker %d is not ready after a minute\n%s", slot.lane.kind, slot.number, slot.process().tail())
		}
	}
}

// publish publishes a mix in each lane, in the background.
func (s *stage) publish(m mix) {
	for _, l := range s.lanes {
		l.account.publish(m)
	}
}

// published waits until all messages of publish are published.
func (s *stage) published() {
	s.t.Helper()
	s.each(func(l *lane) {
		if !l.await(time.Minute, func() bool { return l.account.awaiting.Load() == 0 }) {
			s.t.Errorf("%s: not all was published in a minute", l.kind)
		}
	})
}

// stream publishes so many messages a second in each lane, in the background until finish.
func (s *stage) stream(perSecond int, m mix) {
	for _, l := range s.lanes {
		l.account.stream(perSecond, m)
	}
}

// traffic lets time pass while messages flow.
func (s *stage) traffic(d time.Duration) { time.Sleep(d) }

// handling waits until n more handlers have begun in each lane.
func (s *stage) handling(n int) {
	s.t.Helper()
	s.each(func(l *lane) {
		goal := l.begun("") + n
		if !l.await(20*time.Second, func() bool { return l.begun("") >= goal }) {
			s.t.Errorf("%s: %d more handlers did not begin in 20 s", l.kind, n)
		}
	})
}

// handlingOf waits until n handlers have begun, since the start, with messages of this behaviour.
func (s *stage) handlingOf(do string, n int) {
	s.t.Helper()
	s.each(func(l *lane) {
		if !l.await(20*time.Second, func() bool { return l.begun(do) >= n }) {
			s.t.Errorf("%s: %d handlers of %q did not begin in 20 s", l.kind, n, do)
		}
	})
}

// fault breaks something and mends it: when f returns, the fault must be over. fault returns when
// every lane works again: a handler has begun with a message that was published after the fault's
// end. The scenario's recovery bounds that. Each fault allows as many duplicates as were in flight.
func (s *stage) fault(f func()) {
	s.t.Helper()
	s.faults.Add(1)
	f()
	ended := time.Now()
	s.each(func(l *lane) { l.awaitRecovery(ended, s.scenario.recovery) })
}

// killWorker is kill -9 of one worker in each lane, in turn. It is a fault.
func (s *stage) killWorker() {
	s.t.Helper()
	s.fault(s.kill)
}

// kill is killWorker as a part of a larger fault.
func (s *stage) kill() {
	s.each(func(l *lane) { l.slots[s.next%len(l.slots)].process().kill() })
	s.next++
}

// lossy allows queues of a type to lose messages from now on. Lost messages are still counted.
func (s *stage) lossy(kind topology.QueueType) {
	for _, l := range s.lanes {
		l.lossy = l.lossy || l.kind == kind
	}
}

// restartWorker is a deploy of one worker in each lane, in turn: SIGTERM, and another worker takes
// its place. It returns when the new one consumes. It is no fault: no message may be handled twice.
func (s *stage) restartWorker() {
	s.t.Helper()
	s.each(func(l *lane) {
		slot := l.slots[s.next%len(l.slots)]
		p := slot.process()
		if !p.terminate(s.scenario.grace + 5*time.Second) {
			s.t.Errorf("%s: %s did not end after SIGTERM\n%s", l.kind, p.name, p.tail())
		}
		if !slot.awaitReady(p, time.Minute) {
			s.t.Errorf("%s: no worker consumes after %s", l.kind, p.name)
		}
	})
	s.next++
}

// deaths returns how often a worker of the lane died because of a message.
func (l *lane) deaths() int {
	l.mu.Lock()
	all := slices.Clone(l.processes)
	l.mu.Unlock()
	n := 0
	for _, p := range all {
		if p.ended() && !p.ordered.Load() && p.last == nil {
			n++
		}
	}
	return n
}

// finish lets the work end, stops the workers, counts and judges. The end of a scenario calls it,
// unless the scenario has.
func (s *stage) finish() {
	s.t.Helper()
	if s.finished {
		return
	}
	s.finished = true
	s.each(func(l *lane) { l.finish() })
}

func (l *lane) finish() {
	s, t := l.stage, l.t
	defer l.direct.close()
	defer l.clear()
	if err := l.account.close(); err != nil {
		t.Errorf("%s: the publisher did not stop: %v", l.kind, err)
	}
	if !l.await(s.scenario.within, l.idle) && !l.lossy {
		t.Errorf("%s: the work has not ended %s after the last message was published", l.kind, s.scenario.within)
	}
	var ending sync.WaitGroup
	for _, slot := range l.slots {
		ending.Go(func() {
			if !slot.end(s.scenario.grace + 5*time.Second) {
				t.Errorf("%s: worker %d did not end after SIGTERM\n%s", l.kind, slot.number, slot.process().tail())
			}
		})
	}
	ending.Wait()
	for _, p := range l.processes {
		for _, complaint := range p.judge(l.killing(p), s.scenario.stuck, l.goroutines()) {
			t.Errorf("%s: %s", l.kind, complaint)
		}
	}
	for _, spec := range l.specs {
		if !l.await(10*time.Second, func() bool { _, consumers, err := l.direct.look(spec.Queue); return err == nil && consumers == 0 }) {
			t.Errorf("%s: the queue still has consumers", l.kind)
		}
	}
	e, err := l.collect(l.inFlight())
	if err != nil {
		t.Errorf("%s: %v", l.kind, err)
		return
	}
	v := audit(e)
	for _, complaint := range v.complaints {
		t.Errorf("%s: %s", l.kind, complaint)
	}
	r := row{
		Scenario: s.scenario.name, Queue: l.kind, Broker: l.direct.version(), verdict: v,
		Faults: int(s.faults.Load()), Recovered: l.recovered, Took: time.Since(s.began),
	}
	t.Log(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, r)
}

// goroutines bounds the goroutines of a worker: a few for each connection and consumer, and those
// for the deliveries that it holds.
func (l *lane) goroutines() int {
	n := 50
	for _, spec := range l.specs {
		n += 20 + spec.Concurrency + 2*spec.Prefetch
	}
	return n
}

// inFlight bounds the duplicates. A lost connection returns the deliveries that its worker held.
// Their copies, and the publisher's messages in flight, may have arrived without a confirm, and are
// sent again. A worker that dies sends nothing again.
func (l *lane) inFlight() int {
	held := 0
	for _, spec := range l.specs {
		held += spec.Prefetch
	}
	faults := int(l.stage.faults.Load())
	return faults*(len(l.slots)*2*held+posters) + l.deaths()*held
}

// clear deletes the lane's queues from the broker.
func (l *lane) clear() {
	for _, top := range l.tops {
		if err := l.direct.delete(top.Names()...); err != nil {
			l.t.Errorf("%s: delete the queues: %v", l.kind, err)
		}
	}
}

// links are proxies that are broken together.
type links struct {
	t   testing.TB
	all []*amqptest.Proxy
}

// publisherLinks returns the links between the lanes' publishers and the broker.
func (s *stage) publisherLinks() links {
	l := links{t: s.t}
	for _, lane := range s.lanes {
		l.all = append(l.all, lane.links...)
	}
	return l
}

// workerLinks returns the links between the workers and the broker. The workers consume and publish
// their copies through them.
func (s *stage) workerLinks() links {
	l := links{t: s.t}
	for _, lane := range s.lanes {
		for _, slot := range lane.slots {
			l.all = append(l.all, slot.links...)
		}
	}
	return l
}

// allLinks returns both.
func (s *stage) allLinks() links {
	return links{s.t, append(s.publisherLinks().all, s.workerLinks().all...)}
}

// cut resets the existing connections; new ones go through. There must be at least one.
func (l links) cut() {
	l.t.Helper()
	n := 0
	for _, p := range l.all {
		n += p.Cut()
	}
	if n == 0 {
		l.t.Error("there was no connection to cut")
	}
}

func (l links) freeze() {
	for _, p := range l.all {
		p.Freeze()
	}
}

func (l links) thaw() {
	for _, p := range l.all {
		p.Thaw()
	}
}

func (l links) refuse() {
	for _, p := range l.all {
		p.Refuse()
	}
}

func (l links) accept() {
	for _, p := range l.all {
		p.Accept()
	}
}

// slow delays everything by latency, each way, and limits the rate to so many kilobytes a second; 0
// is no limit.
func (l links) slow(latency time.Duration, kilobytesPerSecond int) {
	for _, p := range l.all {
		p.Slow(latency, kilobytesPerSecond)
	}
}

func (l links) fast() {
	for _, p := range l.all {
		p.Fast()
	}
}

// blackhole makes the existing connections half-open: bytes in that direction are lost without an
// error. New connections go through.
func (l links) blackhole(d amqptest.Direction) {
	for _, p := range l.all {
		p.Blackhole(d)
	}
}

// halfClose ends one direction of the connections cleanly (FIN).
func (l links) halfClose(d amqptest.Direction) {
	for _, p := range l.all {
		p.HalfClose(d)
	}
}

// ground is a broker on which stages run.
type ground struct {
	urls     []string
	broker   *amqptest.Broker
	cluster  *amqptest.Cluster
	visitors *visitors
}

// visitors are the lanes that were on a broker. All their connections must be gone at the end.
// Asking the broker takes long, so it is asked once for all lanes.
type visitors struct {
	mu    sync.Mutex
	lanes map[string]string // id -> scenario
}

func newVisitors() *visitors { return &visitors{lanes: map[string]string{}} }

func (v *visitors) add(lane, scenario string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lanes[lane] = scenario
}

// gone checks that no connection of these lanes is left.
func (v *visitors) gone(t testing.TB, ctl func(args ...string) string) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.lanes) == 0 {
		return
	}
	var left []string
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(time.Second) {
		left = nil
		for line := range strings.Lines(ctl("-q", "list_connections", "client_properties")) {
			for id, scenario := range v.lanes {
				if strings.Contains(line, "faults-"+id+"-") {
					left = append(left, fmt.Sprintf("of %s: %s", scenario, line))
				}
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			break
		}
	}
	for _, connection := range left {
		t.Errorf("a connection is left %s", connection)
	}
	clear(v.lanes)
}
