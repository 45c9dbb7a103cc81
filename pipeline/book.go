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
	of := func(job string) *entry {
		if b.only != "" && job != b.only {
			return nil
		}
		e := b.jobs[job]
		if e == nil {
			e = &entry{job: job, tree: jobtree.New()}
			b.jobs[job] = e
		}
		e.last = later(e.last, raw.At)
		concerned = append(concerned, e)
		return e
	}
	switch e := (*entry)(nil); r.Kind {
	case kindBegin:
		if e = of(r.Job); e != nil && e.nonce == "" {
			e.nonce, e.queue, e.began = r.Nonce, r.Queue, r.At
		}
	case kindTold:
		if e = of(r.Job); e != nil {
			e.told = true
		}
	case kindDone:
		for _, done := range r.Done {
			if e = of(done.Job); e != nil && e.tree.Add(done) != nil {
				b.unread++
			}
		}
	}
	return concerned
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
