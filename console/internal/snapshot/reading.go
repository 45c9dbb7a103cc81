package snapshot

import (
	"context"
	"sync"
	"time"
)

// Reading is one error queue that somebody looks at. It is safe for many goroutines.
type Reading struct {
	// Immutable.
	store *Store
	name  string
	queue Queue
	wake  chan struct{} // one place: something is to be decided
	over  chan struct{} // closed at the end of run

	// mu guards all below. Written by run's goroutine, unless another is named.
	mu       sync.Mutex
	wanted   bool      // Begin and Load set it
	looked   time.Time // Open and stop of Watch set it
	watching watching  // Watch and stop write it
	depth    int
	depthAt  time.Time
	passes   int
	running  *Snapshot
	last     *Snapshot // of the last pass that is over
	full     *Snapshot // of the last pass that has read all
	ended    time.Time // of the last pass
	older    []*older
	kept     map[int]time.Time // until when, by version; Keep sets it
	closed   bool

	observers map[*Observer]bool // Observer and End write it

	loads map[string]*load // by mark; Load adds to it
}

func newReading(s *Store, name string, q Queue) *Reading {
	return &Reading{
		store: s, name: name, queue: q, wake: make(chan struct{}, 1), over: make(chan struct{}),
		looked: time.Now(), depth: -1, watching: watching{}, loads: map[string]*load{}, kept: map[int]time.Time{}, observers: map[*Observer]bool{},
	}
}

// run is the goroutine of the Reading. It ends with ctx, or when nobody has looked for long.
func (r *Reading) run(ctx context.Context) {
	defer close(r.over)
	defer r.end(ctx)
	for ctx.Err() == nil {
		r.expire(time.Now(), r.store.tight())
		d, wait := decide(r.state(time.Now()))
		switch d {
		case pass:
			r.pass(ctx)
		case ask:
			r.ask(ctx)
		case leave:
			if r.store.leave(r) {
				return
			}
		case rest:
			r.rest(ctx, wait)
		}
	}
}

// state returns what is known, for decide.
func (r *Reading) state(now time.Time) state {
	byHand, busy := r.store.cfg.ByHand(r.name), r.store.cfg.Busy(r.name)
	r.mu.Lock()
	defer r.mu.Unlock()
	s := state{
		now: now, wanted: r.wanted, viewers: len(r.watching), looked: r.looked, byHand: byHand, busy: busy, auto: r.store.cfg.AutoDepth,
		depth: r.depth, depthAt: r.depthAt, passes: r.passes, of: -1, ended: r.ended,
	}
	if r.last != nil {
		s.of, s.took = r.last.left(), r.last.Took()
	}
	return s
}

// rest waits for something to be decided.
func (r *Reading) rest(ctx context.Context, most time.Duration) {
	if next, some := r.nextExpiry(); some {
		most = min(most, time.Until(next))
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.wake:
	}
}

// ask asks the broker for the depth.
func (r *Reading) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askEvery)
	defer cancel()
	depth := -1
	if st, err := r.queue.Status(ctx); err == nil {
		depth = st.Messages
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := depth != r.depth
	r.depth, r.depthAt = depth, time.Now()
	if changed {
		r.watching.tell(r.newest())
	}
}

// end drops everything.
func (r *Reading) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	r.queue.Close(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.early()
	r.missed(ErrClosed)
	for _, s := range r.snapshots() {
		s.drop()
	}
	for o := range r.observers {
		o.discard()
	}
	r.watching.tell(r.newest())
}

const closeWait = 5 * time.Second // for the broker, to end a connection

// snapshots returns all that are there. The caller holds mu.
func (r *Reading) snapshots() (all []*Snapshot) {
	for _, o := range r.older {
		all = append(all, o.snapshot)
	}
	for _, s := range []*Snapshot{r.full, r.last, r.running} {
		if s != nil && (len(all) == 0 || all[len(all)-1] != s) {
			all = append(all, s)
		}
	}
	return all
}

// newest returns the version of what Snapshot returns, 0 if there is none. The caller holds mu.
func (r *Reading) newest() int {
	if s := r.shown(); s != nil {
		return s.version
	}
	return 0
}

// shown returns what Snapshot returns. The caller holds mu.
func (r *Reading) shown() *Snapshot {
	for _, s := range []*Snapshot{r.full, r.running, r.last} {
		if s != nil {
			return s
		}
	}
	return nil
}

// Queue is the error queue's name, as the viewer gave it.
func (r *Reading) Queue() string { return r.name }

// Snapshot returns what there is to see: that of the last pass that has read all, or else the one
// that is read now, or else that of the last pass. It is nil before the first pass.
func (r *Reading) Snapshot() *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown()
}

// Running returns the snapshot of the pass that runs, nil if none does.
func (r *Reading) Running() *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// Version returns a snapshot by its number, nil if it is dropped. One is kept for 5 minutes after
// the next one, or longer: see Keep.
func (r *Reading) Version(n int) *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.snapshots() {
		if s.version == n {
			return s
		}
	}
	return nil
}

// Progress says how far the Reading is.
func (r *Reading) Progress() Progress {
	byHand := r.store.cfg.ByHand(r.name) || r.store.cfg.Busy(r.name)
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{Phase: Idle, Of: -1, Depth: r.depth, DepthAt: r.depthAt}
	p.Ask = r.passes == 0 && r.running == nil && !r.wanted && !r.depthAt.IsZero() &&
		(r.depth < 0 || r.depth > r.store.cfg.AutoDepth || byHand)
	s := r.last
	if r.running != nil {
		s = r.running
	}
	if s != nil {
		s.progress(&p)
	}
	if r.wanted && r.running == nil {
		p.Phase = Waiting
	}
	if r.closed {
		p.Phase, p.Ask = Closed, false
	}
	return p
}

// Begin begins a pass, unless one runs.
func (r *Reading) Begin() {
	r.mu.Lock()
	r.wanted = r.wanted || r.running == nil && !r.closed
	r.looked = time.Now()
	r.mu.Unlock()
	r.changed()
}

// changed wakes run, which decides anew.
func (r *Reading) changed() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// look notes that somebody looks at the queue.
func (r *Reading) look() {
	r.mu.Lock()
	r.looked = time.Now()
	r.mu.Unlock()
	r.changed()
}

// abandoned says whether nobody has looked for long.
func (r *Reading) abandoned(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.wanted && len(r.watching) == 0 && now.Sub(r.looked) >= unwatched
}
