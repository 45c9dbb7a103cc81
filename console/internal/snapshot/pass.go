package snapshot

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// pass reads the queue once.
func (r *Reading) pass(ctx context.Context) {
	s := r.store.newSnapshot(r.name, func() bool { return r.store.makeRoom(r) })
	r.mu.Lock()
	r.running, r.wanted = s, false
	r.early()
	r.watching.tell(s.version)
	r.mu.Unlock()

	err := r.read(ctx, s)
	if err != nil && ctx.Err() != nil {
		err = ErrClosed
	}
	s.end(err)
	if err != nil && ctx.Err() == nil {
		r.store.cfg.Log.Warn("a reading of an error queue has ended early", slog.String("queue", r.name), slog.Any("error", err))
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.running, r.ended, r.depthAt = nil, time.Now(), time.Time{}
	r.passes++
	r.replace(s)
	r.missed(err)
	r.watching.tell(r.newest())
}

// read fills a snapshot.
func (r *Reading) read(ctx context.Context, s *Snapshot) error {
	h := hints{reading: r, version: s.version}
	progress := func(p errorqueue.Progress) {
		s.tell(p)
		h.of(p)
	}
	for m, err := range r.queue.List(ctx, errorqueue.ListOptions{Progress: progress}) {
		if err != nil {
			return err
		}
		s.add(&m)
		r.loaded(m) // redacted
	}
	return nil
}

// replace makes a snapshot the last one. The caller holds mu.
func (r *Reading) replace(s *Snapshot) {
	before := []*Snapshot{r.last}
	if r.full != r.last {
		before = append(before, r.full)
	}
	r.last = s
	if s.Err() == nil {
		r.full = s
	}
	for _, b := range before {
		if b != nil && b != r.full {
			r.older = append(r.older, &older{b, time.Now()})
		}
	}
}

// expire drops snapshots that have been replaced long ago, and all that were replaced if there is
// no room for them.
func (r *Reading) expire(now time.Time, tight bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.older) > 0 && (tight || now.Sub(r.older[0].since) >= keptAfter) {
		r.older[0].snapshot.drop()
		r.older = r.older[1:]
	}
}

// makeRoom drops the oldest snapshot but that of the pass that runs. Whoever looked at it sees the
// one that is read now.
func (r *Reading) makeRoom() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.snapshots() {
		if s != r.running {
			r.drop(s)
			return true
		}
	}
	return false
}

// makeRoomUnseen drops the oldest snapshot, if nobody looks at the queue.
func (r *Reading) makeRoomUnseen(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.watching) > 0 || now.Sub(r.looked) < lookLasts || r.running != nil {
		return false
	}
	for _, s := range r.snapshots() {
		r.drop(s)
		return true
	}
	return false
}

// drop drops a snapshot of a pass that is over. The caller holds mu.
func (r *Reading) drop(s *Snapshot) {
	s.drop()
	r.older = slices.DeleteFunc(r.older, func(o *older) bool { return o.snapshot == s })
	if r.full == s {
		r.full = nil
	}
	if r.last == s {
		r.last = nil
	}
}

func (r *Reading) nextExpiry() (at time.Time, some bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.older) == 0 {
		return time.Time{}, false
	}
	return r.older[0].since.Add(keptAfter), true
}
