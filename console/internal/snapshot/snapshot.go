package snapshot

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Snapshot is what one pass over an error queue has read. Rows have the queue's order. It grows
// while its pass runs. Then only Row.Gone changes, and what counts that. It is safe for many
// goroutines.
type Snapshot struct {
	// Immutable.
	queue   string
	version int
	began   time.Time
	memory  *budget // of the Store, for rows
	keeper  keeper
	log     *slog.Logger
	// makeRoom drops what earlier passes have left, one by one: see Store.makeRoom. It says no if
	// there is nothing. It takes the locks of the Store and of Readings.
	makeRoom func() bool

	index *errorqueue.Values // nil if there are no such terms

	redactor redactor // of the goroutine of the pass

	finds finds // written by whoever looks for rows, under a lock of its own

	// Written by the goroutine of the pass: add, tell and end.
	mu         sync.RWMutex
	columns    columns
	tally      tally
	took       time.Duration // of the whole pass, 0 while it runs
	of         int           // messages in the queue at the beginning, -1 if unknown
	phase      errorqueue.Phase
	deliveries int
	bytes      int64 // taken from memory
	full       bool  // there was no memory for another row
	gone       gone  // written by settled, of any goroutine
	done       bool
	dropped    bool
	err        error

	troubled bool // a message could not be kept, and that was logged; of the pass alone
}

// add adds a message that the pass has read.
func (s *Snapshot) add(m *errorqueue.Message) {
	s.redactor.redact(m)
	place := absent
	var values []errorqueue.Value
	if s.rows() {
		place = s.keep(m)
		if s.index != nil {
			values = s.index.Read(m)
		}
	}
	full := s.count(m, place, values)
	for full && s.makeRoom() {
		full = !s.memory.spend(0)
	}
	if full {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.full = true
	}
}

// count counts a message, and makes a row of it if there is memory. It says whether this row has
// taken the last of it.
func (s *Snapshot) count(m *errorqueue.Message, place int64, values []errorqueue.Value) (full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.add(m)
	s.deliveries = max(s.deliveries, m.Deliveries)
	if s.full || s.dropped {
		return false
	}
	took := s.columns.add(m, place, values)
	s.bytes += took
	return !s.memory.spend(took)
}

// rows says whether the next message is a row.
func (s *Snapshot) rows() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return !s.full && !s.dropped
}

// keep puts a message into the spool, and logs the first failure.
func (s *Snapshot) keep(m *errorqueue.Message) int64 {
	place, err := s.keeper.put(m)
	for errors.Is(err, errFull) && s.makeRoom() {
		place, err = s.keeper.put(m)
	}
	switch {
	case err == nil:
		return place
	case !errors.Is(err, errFull) && !s.troubled:
		s.troubled = true
		s.log.Error("messages of an error queue are not kept", "queue", s.queue, "error", err)
	}
	return absent
}

// tell notes how far the pass is.
func (s *Snapshot) tell(p errorqueue.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of, s.phase = p.Of, p.Phase
}

// end notes that the pass is over.
func (s *Snapshot) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.err, s.took = true, err, max(1, time.Since(s.began))
	s.columns.freeze()
}

// drop gives back what the snapshot takes. Rows that somebody looks at stay valid.
func (s *Snapshot) drop() {
	s.keeper.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dropped {
		s.dropped = true
		s.memory.give(s.bytes)
	}
}

// view returns the rows that there are now, and whether there will be no more.
func (s *Snapshot) view() (v view, done bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v = s.columns.view()
	v.gone = slices.Clone(s.gone.bits)
	return v, s.done
}

// Queue is the error queue's name, as the viewer gave it.
func (s *Snapshot) Queue() string { return s.queue }

// Version numbers the passes of a Store, from 1.
func (s *Snapshot) Version() int { return s.version }

// Began is when the pass began. Ages of filters are compared to it.
func (s *Snapshot) Began() time.Time { return s.began }

// Took is how long the pass took. It is 0 while the pass runs.
func (s *Snapshot) Took() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.took
}

// Done says whether the pass is over, with or without an error.
func (s *Snapshot) Done() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.done
}

// Err is what ended the pass before it had read all. It is nil while the pass runs.
func (s *Snapshot) Err() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err
}

// Of is how many messages were in the queue when the pass began, -1 if unknown.
func (s *Snapshot) Of() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.of
}

// Read is how many messages the pass has read, and rows how many of them are rows: the first ones.
func (s *Snapshot) Read() (read, rows int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tally.messages, s.columns.n
}

// Deliveries is the largest count of deliveries that a message had. It is 0 if the queue does not
// count.
func (s *Snapshot) Deliveries() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.deliveries
}

// Groups returns the groups of all messages, also of those beyond the rows.
func (s *Snapshot) Groups() Groups {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tally.report()
}

// Group returns the group with a key.
func (s *Snapshot) Group(key string) (Group, error) {
	for _, g := range s.Groups().Groups {
		if g.Key == key {
			return g, nil
		}
	}
	return Group{}, ErrUnknown
}

// Timeline returns how many messages were parked when. Without a filter, or with one that names one
// group only, it counts all messages; otherwise only rows.
func (s *Snapshot) Timeline(f errorqueue.Filter) (Timeline, error) {
	if t, ok := s.counted(f); ok {
		return t, nil
	}
	var t timeline
	err := s.each(f, func(m *errorqueue.Message) { t.add(m.Since(), m.AppVersion) })
	return t.report(), err
}

// counted returns the timeline of a filter for which all messages were counted.
func (s *Snapshot) counted(f errorqueue.Filter) (Timeline, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if f.IsZero() {
		return s.tally.total.report(), true
	}
	if len(f.Groups) != 1 {
		return Timeline{}, false
	}
	g := s.tally.groups[f.Groups[0]]
	f.Groups = nil
	if g == nil || !f.IsZero() {
		return Timeline{}, false
	}
	return g.timeline.report(), true
}

// progress sets what a Progress says of the pass.
func (s *Snapshot) progress(p *Progress) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p.Read, p.Of, p.Began, p.Took, p.Err = s.tally.messages, s.of, s.began, s.took, s.err
	if s.done {
		return
	}
	p.Took = time.Since(s.began)
	switch s.phase {
	case errorqueue.PhaseReading:
		p.Phase = Running
	case errorqueue.PhaseGivingBack, "": // "" is in the last report, which may come before the end
		p.Phase = GivingBack
	default:
		p.Phase = Waiting
	}
}
