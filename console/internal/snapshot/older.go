package snapshot

import (
	"slices"
	"time"
)

// older is a snapshot after which there is another one.
type older struct {
	snapshot *Snapshot
	since    time.Time
}

// Keep keeps a snapshot until a moment, also when it has long been replaced, and counts as a look.
// It is dropped all the same if there is no memory for others, or if nobody looks for 30 minutes.
// Keep says no if the snapshot is not there any more. The latest moment counts.
func (r *Reading) Keep(version int, until time.Time) bool {
	defer r.changed()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.snapshots() {
		if s.version == version && !r.closed {
			if until.After(r.kept[version]) {
				r.kept[version] = until
			}
			r.looked = time.Now()
			return true
		}
	}
	return false
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

// expire drops snapshots that have been replaced long ago. If there is no room for those it also
// drops the others that were replaced, but for those that are kept.
func (r *Reading) expire(now time.Time, tight bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range slices.Clone(r.older) {
		if !now.Before(r.expiry(o)) || tight && !r.isKept(o.snapshot, now) {
			r.drop(o.snapshot)
		}
	}
}

// expiry is when a snapshot is dropped. The caller holds mu.
func (r *Reading) expiry(o *older) time.Time {
	at := o.since.Add(keptAfter)
	if until := r.kept[o.snapshot.version]; until.After(at) {
		return until
	}
	return at
}

// isKept says whether somebody keeps a snapshot. The caller holds mu.
func (r *Reading) isKept(s *Snapshot, now time.Time) bool { return now.Before(r.kept[s.version]) }

// makeRoom drops the oldest snapshot but that of the pass that runs, and one that is kept only if
// there is no other. Whoever looked at it sees the one that is read now.
func (r *Reading) makeRoom() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropOldest(time.Now())
}

// makeRoomOlder drops the oldest snapshot that was replaced, unless it is kept. It says no if there
// is none.
func (r *Reading) makeRoomOlder() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.older {
		if !r.isKept(o.snapshot, time.Now()) {
			r.drop(o.snapshot)
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
	return r.dropOldest(now)
}

// dropOldest drops a snapshot, and says no if there is none. The caller holds mu.
func (r *Reading) dropOldest(now time.Time) bool {
	all := slices.DeleteFunc(r.snapshots(), func(s *Snapshot) bool { return s == r.running })
	if len(all) == 0 {
		return false
	}
	at := slices.IndexFunc(all, func(s *Snapshot) bool { return !r.isKept(s, now) })
	r.drop(all[max(0, at)])
	return true
}

// drop drops a snapshot of a pass that is over. The caller holds mu.
func (r *Reading) drop(s *Snapshot) {
	s.drop()
	delete(r.kept, s.version)
	r.older = slices.DeleteFunc(r.older, func(o *older) bool { return o.snapshot == s })
	if r.full == s {
		r.full = nil
	}
	if r.last == s {
		r.last = nil
	}
}

// nextExpiry is when the next snapshot is dropped.
func (r *Reading) nextExpiry() (at time.Time, some bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, o := range r.older {
		if next := r.expiry(o); i == 0 || next.Before(at) {
			at = next
		}
	}
	return at, len(r.older) > 0
}
