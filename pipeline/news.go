package pipeline

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/journal"
)

// news is what a Notifier knows of jobs: which are complete, and which were told. The goroutine
// that reads and the one that tells share it.
type news struct {
	changed chan struct{} // has a value if a job may be complete

	mu    sync.Mutex
	book  *book                // guarded by mu, and so are the fields below; jobs that were not told
	told  map[string]time.Time // the others: when
	later map[string]*retry    // complete ones whose call failed
	whole bool                 // all records were read, so what is not told there is to be told
}

// retry is a job that is to be told again.
type retry struct {
	due     time.Time
	backoff backoff.Backoff
}

func newNews() *news {
	n := &news{changed: make(chan struct{}, 1), told: map[string]time.Time{}, later: map[string]*retry{}}
	n.reset()
	return n
}

// reset begins anew, because the stream is read from its first record on. What this process has
// told stays so.
func (n *news) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.book, n.whole = newBook(""), false
}

// see takes in a record.
func (n *news) see(r *journal.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	complete := false
	for _, e := range n.book.add(r) {
		if e.told {
			n.told[e.job] = e.last
		}
		if _, told := n.told[e.job]; told {
			delete(n.book.jobs, e.job)
			continue
		}
		complete = complete || e.tree.Complete()
	}
	if complete && n.whole {
		n.wake()
	}
}

// folded says that all records were read that were there when the reading began.
func (n *news) folded() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.whole = true
	n.wake()
}

func (n *news) wake() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// due returns the jobs that are to be told now, the oldest first. It forgets those of which the
// stream has nothing any more.
func (n *news) due(now time.Time, maxAge time.Duration) (all []Progress) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.whole {
		return nil
	}
	for job, at := range n.told {
		if now.Sub(at) > maxAge {
			delete(n.told, job)
		}
	}
	for job, e := range n.book.jobs {
		switch again := n.later[job]; {
		case now.Sub(e.last) > maxAge:
			delete(n.book.jobs, job)
			delete(n.later, job)
		case e.tree.Complete() && (again == nil || !now.Before(again.due)):
			all = append(all, e.progress())
		}
	}
	slices.SortFunc(all, func(a, b Progress) int { return cmp.Or(a.Last.Compare(b.Last), cmp.Compare(a.Job, b.Job)) })
	return all
}

// again says that a call has failed.
func (n *news) again(job string, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.later[job]
	if r == nil {
		r = &retry{backoff: backoff.Backoff{Min: 2 * time.Second, Max: time.Minute}}
		n.later[job] = r
	}
	r.due = now.Add(max(time.Second, r.backoff.Next()))
}

// isTold says that a call has succeeded.
func (n *news) isTold(job string, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told[job] = now
	delete(n.book.jobs, job)
	delete(n.later, job)
}
