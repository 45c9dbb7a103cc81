package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
	"github.com/bunnicula-go/bunnicula/internal/journal"
)

// book is what the records of the stream say of jobs: of one, or of all. Whoever folds uses it.
type book struct {
	only string // immutable; the one job; "" is all
	jobs map[string]*entry

	unread int // records that make no sense
}

// entry is a job.
type entry struct {
	job   string // immutable
	queue string // to which its items went
	nonce string // of its first start; "" if that is not in the stream
	began time.Time
	told  bool
	last  time.Time // of its last record
	tree  *jobtree.Tree
}

func newBook(only string) *book { return &book{only: only, jobs: map[string]*entry{}} }

// add takes in a record, and returns the jobs that it is about, one of them perhaps several times.
func (b *book) add(raw *journal.Record) []*entry {
	r, err := parseRecord(raw.Body)
	if err != nil {
		b.unread++
		return nil
	}
	var concerned []*entry
	of := func(job string, add func(*entry) error) {
		if e := b.entry(job); e != nil {
			if add(e) != nil {
				b.unread++
				return
			}
			e.last = later(e.last, raw.At)
			b.jobs[job] = e
			concerned = append(concerned, e)
		}
	}
	switch r.Kind {
	case kindBegin:
		of(r.Job, func(e *entry) error {
			if e.nonce == "" {
				e.nonce, e.queue, e.began = r.Nonce, r.Queue, r.At
			}
			if raw.At.IsZero() { // of a foreign program
				e.last = later(e.last, r.At)
			}
			return nil
		})
	case kindTold:
		of(r.Job, func(e *entry) error { e.told = true; return nil })
	case kindDone:
		for _, done := range r.Done {
			of(done.Job, func(e *entry) error { return e.tree.Add(done) })
		}
	}
	return concerned
}

// entry returns that of a job, which is a new one if nothing was read of it yet. It is nil if the
// job is none of the book's, or has a name that no job has.
func (b *book) entry(job string) *entry {
	if b.only != "" && job != b.only {
		return nil
	}
	if e := b.jobs[job]; e != nil {
		return e
	}
	if checkName("job", job, maxJob) != nil {
		b.unread++
		return nil
	}
	return &entry{job: job, tree: jobtree.New()}
}

func later(a, b time.Time) time.Time {
	if foreign.IsTime(b) && b.After(a) {
		return b
	}
	return a
}

// fold reads the stream into a book, and returns the offset behind its end.
func (p *Pipeline) fold(ctx context.Context, b *book) (next int64, err error) {
	next, err = p.journal.Fold(ctx, func(r journal.Record) error { b.add(&r); return nil })
	if err != nil {
		return 0, fmt.Errorf("pipeline %s: %w", p.cfg.Name, err)
	}
	if b.unread > 0 {
		p.cfg.Logger.WarnContext(ctx, "records of a pipeline make no sense", "pipeline", p.cfg.Name, "stream", StreamOf(p.cfg.Name), "records", b.unread)
	}
	return next, nil
}

// isGone says whether there is no stream, so that there are no jobs.
func isGone(err error) bool { return errors.Is(err, journal.ErrGone) }
