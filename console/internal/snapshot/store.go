package snapshot

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Store has the snapshots of all error queues that somebody looks at. It is safe for many
// goroutines.
type Store struct {
	// Immutable.
	cfg     Config
	redacts bool    // Config.Redact may change messages
	memory  *budget // of rows
	disk    *budget // of spools
	samples *budget
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	all     sync.WaitGroup // the goroutines: one for each queue

	mu       sync.Mutex
	readings map[string]*entry
	version  int // of the last snapshot
	closed   bool
}

// entry is a queue that is open, or is being opened.
type entry struct {
	ready   chan struct{} // closed when the others are set
	reading *Reading
	err     error
}

// NewStore makes a Store. It has no goroutine before the first Open.
func NewStore(cfg Config) *Store {
	redacts := cfg.Redact != nil
	cfg = cfg.resolve()
	s := &Store{
		cfg: cfg, redacts: redacts, memory: newBudget(cfg.Memory), disk: newBudget(cfg.SpoolSize), samples: newBudget(mostShown),
		readings: map[string]*entry{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Open returns the Reading of a queue, which all viewers share, and counts as a look at it: a queue
// that nobody has looked at for 30 minutes is dropped. The first Open asks the broker for the queue
// and its depth, and begins a pass if the queue is short: see Config.AutoDepth. The errors are
// those of Config.Open. ctx bounds the wait for them; the pass goes on after it.
func (s *Store) Open(ctx context.Context, queue string) (*Reading, error) {
	e, err := s.enter(queue)
	if err != nil {
		return nil, err
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return e.reading, e.err
}

// enter returns the entry of a queue, and begins to open the queue if there is none.
func (s *Store) enter(queue string) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	e := s.readings[queue]
	if e != nil {
		if e.reading != nil {
			e.reading.look()
		}
		return e, nil
	}
	e = &entry{ready: make(chan struct{})}
	s.readings[queue] = e
	s.all.Go(func() { s.open(queue, e) })
	return e, nil
}

// open opens a queue, and is the goroutine of its Reading then.
func (s *Store) open(queue string, e *entry) {
	q, err := s.cfg.Open(s.ctx, queue)
	s.mu.Lock()
	if err != nil {
		e.err = err
		delete(s.readings, queue)
	} else {
		e.reading = newReading(s, queue, q)
	}
	s.mu.Unlock()
	close(e.ready)
	if err == nil {
		e.reading.run(s.ctx)
	}
}

// leave removes a Reading that nobody has looked at for long. It says no if somebody looks after
// all.
func (s *Store) leave(r *Reading) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.abandoned(time.Now()) {
		return false
	}
	delete(s.readings, r.name)
	return true
}

// newSnapshot makes the snapshot of a pass that begins now.
func (s *Store) newSnapshot(queue string, makeRoom func() bool) *Snapshot {
	s.mu.Lock()
	s.version++
	snap := &Snapshot{
		queue: queue, version: s.version, began: time.Now(), of: -1, phase: errorqueue.PhaseWaiting, memory: s.memory, makeRoom: makeRoom,
		index: s.cfg.Index, redactor: redactor{with: s.cfg.Redact, log: s.cfg.Log}, log: s.cfg.Log,
	}
	s.mu.Unlock()
	snap.keeper = s.newKeeper(queue)
	return snap
}

// makeRoom drops a snapshot, for a pass of a Reading: one of another queue that nobody looks at, or
// else an earlier one of the same queue. It says no if there is none.
func (s *Store) makeRoom(r *Reading) bool { return s.makeRoomElsewhere(r) || r.makeRoom() }

// makeRoomElsewhere drops a snapshot of another queue that nobody looks at. It says no if there is
// none.
func (s *Store) makeRoomElsewhere(r *Reading) bool {
	now := time.Now()
	for _, other := range s.opened() {
		if other != r && other.makeRoomUnseen(now) {
			return true
		}
	}
	return false
}

// opened returns the Readings.
func (s *Store) opened() (all []*Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.readings {
		if e.reading != nil {
			all = append(all, e.reading)
		}
	}
	return all
}

// Readings returns those that are open, by the names of their queues. It is no look at them.
func (s *Store) Readings() []*Reading {
	all := s.opened()
	slices.SortFunc(all, func(a, b *Reading) int { return cmp.Compare(a.name, b.name) })
	return all
}

// tight says whether snapshots that are replaced have to make room.
func (s *Store) tight() bool { return s.memory.tight() || s.disk.tight() || s.samples.tight() }

func (s *Store) newKeeper(queue string) keeper {
	if s.cfg.SpoolDir != "" {
		file, err := newSpool(s.cfg.SpoolDir, s.disk)
		if err == nil {
			return file
		}
		s.cfg.Log.Error("messages of an error queue are kept in memory only", "queue", queue, "error", err)
	}
	return newSamples(s.samples)
}

// Close ends all passes and drops all snapshots. Messages that a pass holds go back to their queue.
// It waits for that until ctx ends.
func (s *Store) Close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	over := make(chan struct{})
	go func() {
		s.all.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}
