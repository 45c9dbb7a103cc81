//go:build unix

package faults_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// lane is the part of a stage for one queue type. It has its own queues, publisher and workers.
type lane struct {
	t      testing.TB
	stage  *stage
	kind   topology.QueueType
	id     string // part of the names of its queues and connections, and of every message
	dir    string
	direct *direct
	specs  []consumer.Spec // one for each queue
	tops   []topology.Topology

	account *account
	links   []*amqptest.Proxy // of the publisher, one for each URL of the broker
	slots   []*slot
	parcels []parcel // messages that drain has taken from the queues
	lossy   bool     // its queues may lose messages

	mu        sync.Mutex
	journals  *journals
	processes []*process // all processes so far
	recovered time.Duration
}

func newLane(s *stage, kind topology.QueueType) *lane {
	l := &lane{
		t: s.t, stage: s, kind: kind, id: strings.ToLower(rand.Text()[:8]),
		dir: filepath.Join(s.dir, string(kind)),
	}
	l.journals = newJournals(l.dir)
	l.direct = &direct{urls: s.urls, name: l.connectionName("direct")}
	var queues []string
	for i := range s.scenario.queues {
		spec := l.spec(i)
		c, err := consumer.New(nil, withHandler(spec), nil, nil)
		if err != nil {
			l.t.Fatal(err)
		}
		l.specs, l.tops, queues = append(l.specs, spec), append(l.tops, c.Topology()), append(queues, spec.Queue)
		all := withHandler(spec)
		all.Declare = topology.All // the worker may need the queues at its start
		if c, err = consumer.New(nil, all, nil, nil); err != nil {
			l.t.Fatal(err)
		}
		l.direct.declare(l.t, c.Topology())
	}
	cfg, links := l.connect("publisher")
	l.links = links
	l.account = newAccount(l.t, l.id, cfg, queues...)
	return l
}

// withHandler returns a Spec that New accepts; the real handler is in the worker.
func withHandler(spec consumer.Spec) consumer.Spec {
	spec.Handler = func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	return spec
}

// spec returns the Spec of a lane's queue: that of the scenario, and the defaults here.
func (l *lane) spec(number int) consumer.Spec {
	spec := l.stage.scenario.spec
	spec.Queue = fmt.Sprintf("faults-%s-%s-%d", l.stage.scenario.name, l.id, number)
	spec.QueueType = l.kind
	if spec.MaxRetries == 0 {
		spec.MaxRetries = 3
	}
	if spec.Backoff == nil {
		spec.Backoff = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond}
	}
	spec.Timeout = cmp.Or(spec.Timeout, 10*time.Second)
	spec.Grace = cmp.Or(spec.Grace, time.Second)
	spec.Concurrency = cmp.Or(spec.Concurrency, 4)
	spec.Prefetch = cmp.Or(spec.Prefetch, max(20, spec.Concurrency))
	return spec
}

// maxRetries is the Spec's number of retries, resolved.
func (l *lane) maxRetries() int { return max(0, l.specs[0].MaxRetries) } // NoRetries is -1

func (l *lane) connectionName(what string) string { return "faults-" + l.id + "-" + what }

// connect returns the Config of a client with proxies of its own, one for each URL.
func (l *lane) connect(who string) (connection.Config, []*amqptest.Proxy) {
	cfg := l.stage.scenario.connection
	cfg.Name = l.connectionName(who)
	// The heartbeat is short, so that a silent peer is detected soon.
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, 2*time.Second)
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, 3*time.Second)
	cfg.ReplyTimeout = cmp.Or(cfg.ReplyTimeout, 5*time.Second)
	cfg.URLs = nil
	urls := l.stage.urls
	if l.stage.scenario.secure {
		files := l.stage.broker.TLS()
		urls, cfg.CAFile, cfg.CertFile, cfg.KeyFile = []string{files.URL}, files.CA, files.Cert, files.Key
	}
	var links []*amqptest.Proxy
	for _, url := range urls {
		p := amqptest.NewProxy(l.t, url)
		links = append(links, p)
		cfg.URLs = append(cfg.URLs, p.URL())
	}
	return cfg, links
}

// slot holds one worker, and starts another one when that dies, as an orchestrator does.
type slot struct {
	lane   *lane
	number int
	config workerConfig
	links  []*amqptest.Proxy

	mu      sync.Mutex
	current *process
	started int
	ending  bool
	wake    chan struct{} // closed and replaced when current changes
	kept    chan struct{} // closed when the slot starts no more workers
}

func (l *lane) newSlot() *slot {
	s := &slot{lane: l, number: len(l.slots), wake: make(chan struct{}), kept: make(chan struct{})}
	cfg, links := l.connect(fmt.Sprintf("worker%d", s.number))
	s.links = links
	s.config = workerConfig{
		Connection: connectionJSON{plainConfig: plainConfig(cfg)}, Publisher: l.stage.scenario.publishes,
		StopWithin: l.stage.scenario.grace,
	}
	for _, spec := range l.specs {
		s.config.Consumers = append(s.config.Consumers, specJSON{Spec: spec})
	}
	if tune := l.stage.scenario.tune; tune != nil {
		tune(s)
	}
	l.slots = append(l.slots, s)
	go s.keep()
	return s
}

// keep keeps a process in the slot until end; end waits for it.
func (s *slot) keep() {
	defer close(s.kept)
	for {
		p := s.next()
		if p == nil {
			return
		}
		<-p.done
		if p.code == exitStart {
			time.Sleep(500 * time.Millisecond) // a restart loop without a pause would use all CPU
		}
	}
}

func (s *slot) next() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return nil
	}
	s.started++
	p, err := startProcess(s.lane.dir, fmt.Sprintf("worker%d-%d", s.number, s.started), s.config)
	if err != nil {
		s.lane.t.Errorf("start a worker: %v", err)
		return nil
	}
	s.current = p
	close(s.wake)
	s.wake = make(chan struct{})
	s.lane.mu.Lock()
	defer s.lane.mu.Unlock()
	s.lane.processes = append(s.lane.processes, p)
	return p
}

// process returns the current process of the slot.
func (s *slot) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// awaitReady waits until a process other than not consumes, and says whether one did. A process
// that cannot start ends the wait.
func (s *slot) awaitReady(not *process, within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		s.mu.Lock()
		p, wake := s.current, s.wake
		s.mu.Unlock()
		var ready, done <-chan struct{}
		if p != nil && p != not {
			ready, done = p.ready, p.done
		}
		select {
		case <-ready:
			return true
		case <-done:
			if p.code == exitStart {
				return false
			}
			select { // it has died, and the slot starts the next one
			case <-wake:
			case <-timer.C:
				return false
			}
		case <-wake:
		case <-timer.C:
			return false
		}
	}
}

// end terminates the slot's process. The slot starts no other.
func (s *slot) end(within time.Duration) bool {
	s.mu.Lock()
	s.ending = true
	p := s.current
	s.mu.Unlock()
	ok := true
	if p != nil {
		ok = p.terminate(within)
	}
	<-s.kept
	return ok
}

// poll reads the new lines of the journals, and returns all entries.
func (l *lane) poll() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ended []string
	for _, p := range l.processes {
		if p.ended() {
			ended = append(ended, p.name+".journal")
		}
	}
	if err := l.journals.poll(); err != nil {
		l.t.Errorf("journals: %v", err)
	}
	for _, file := range ended {
		l.journals.closed[file] = true
	}
	return l.journals.entries
}

// await calls yes until it is true.
func (l *lane) await(within time.Duration, yes func() bool) bool {
	for end := time.Now().Add(within); !yes(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// awaitRecovery waits until a handler has begun with a message that was published after a fault's
// end, and records how long that took. If no more messages are published, it does not wait.
func (l *lane) awaitRecovery(ended time.Time, within time.Duration) {
	var took time.Duration
	seen := 0
	ok := l.await(within, func() bool {
		entries := l.poll()
		for ; seen < len(entries); seen++ {
			e := entries[seen]
			if e.What != begin || !e.time().After(ended) {
				continue
			}
			if p, ok := l.account.get(e.N); ok && p.began.After(ended) {
				took = e.time().Sub(ended)
				return true
			}
		}
		return !l.account.flowing()
	})
	if !ok {
		l.t.Errorf("%s: not at work again %s after the fault ended", l.kind, within)
		took = within
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recovered = max(l.recovered, took)
}

// killing says whether a process died while it handled a message that kills: its journal has the
// begin of one without the end.
func (l *lane) killing(p *process) bool {
	open := map[int]int{}
	for _, e := range l.poll() {
		if e.process != p.name+".journal" {
			continue
		}
		posting, ok := l.account.get(e.N)
		if !ok {
			continue
		}
		if b, _ := behaviourOf(posting.do); !b.kills {
			continue
		}
		switch e.What {
		case begin:
			open[e.N]++
		case end:
			open[e.N]--
		}
	}
	for _, n := range open {
		if n > 0 {
			return true
		}
	}
	return false
}

// begun counts the attempts that have begun, of all messages or of those with one behaviour.
func (l *lane) begun(do string) int {
	postings := l.account.all()
	n := 0
	for _, e := range l.poll() {
		if e.What == begin && (do == "" || e.N < len(postings) && postings[e.N].do == do) {
			n++
		}
	}
	return n
}

// idle says whether all confirmed messages have been acked or parked. It takes parked messages from
// the error queues to identify them; collect returns them.
func (l *lane) idle() bool {
	if err := l.drain(topology.RoleError); err != nil {
		return false
	}
	ended := map[int]bool{}
	for _, p := range l.parcels {
		if n, ok := number(l.id, p.MessageId); ok {
			ended[n] = true
		}
	}
	required := map[int]bool{}
	for n, p := range l.account.all() {
		if p.confirmed() {
			required[n] = true
		}
	}
	for _, e := range l.poll() {
		switch {
		case e.What == confirmed:
			required[e.N] = true
		case e.What == end && e.Said == "ack":
			ended[e.N] = true
		}
	}
	for n := range required {
		if !ended[n] {
			return false
		}
	}
	// Copies of messages that have ended may still be in queues. They must be handled and counted
	// too.
	for _, top := range l.tops {
		for _, q := range top.Queues {
			if ready, _, err := l.direct.look(q.Name); err != nil || ready > 0 {
				return false
			}
		}
	}
	return true
}

// drain takes all messages of the queues of this role.
func (l *lane) drain(role topology.Role) error {
	for _, top := range l.tops {
		for _, q := range top.Queues {
			if q.Role != role {
				continue
			}
			all, err := l.direct.drain(q.Name)
			for _, d := range all {
				l.parcels = append(l.parcels, parcel{q.Role, d})
			}
			if err != nil {
				return fmt.Errorf("drain %s: %w", q.Name, err)
			}
		}
	}
	return nil
}

// collect drains the queues, and returns the evidence.
func (l *lane) collect(duplicates int) (evidence, error) {
	for _, role := range []topology.Role{topology.RoleMain, topology.RoleRetry, topology.RoleQuarantine, topology.RoleError} {
		if err := l.drain(role); err != nil {
			return evidence{}, err
		}
	}
	return evidence{
		lane: l.id, postings: l.account.all(), entries: l.poll(), parcels: l.parcels,
		maxRetries: l.maxRetries(), patient: l.account.patient, duplicates: duplicates, lossy: l.lossy,
	}, nil
}
