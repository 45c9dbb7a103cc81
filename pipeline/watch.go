package pipeline

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/journal"
)

// watchEvery is how often Watch yields at most.
const watchEvery = 250 * time.Millisecond

// Watch yields the Progress of a job: at once, and again whenever reports have changed it, four
// times a second at most. It ends when the job is complete, which is the last one that it yields.
// Otherwise the last one is an error: ctx's, ErrNoJob, or why the stream cannot be read. It goes on
// over lost connections.
//
//	for p, err := range bank.Watch(ctx, job) { ... }
func (p *Pipeline) Watch(ctx context.Context, job string) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		b, next, err := p.bookOf(ctx, job)
		if err != nil {
			yield(Progress{}, err)
			return
		}
		w := &watcher{entry: b.jobs[job], changed: make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(ctx)
		var follower sync.WaitGroup
		defer follower.Wait()
		defer cancel()
		ended := make(chan error, 1)
		follower.Go(func() {
			ended <- p.journal.Follow(ctx, next, func(r journal.Record) error { w.see(b, &r); return nil })
		})
		for {
			progress := w.progress()
			if !yield(progress, nil) || progress.Complete {
				return
			}
			select {
			case <-w.changed:
			case err := <-ended:
				yield(Progress{}, fmt.Errorf("pipeline %s: %w", p.cfg.Name, err))
				return
			}
			backoff.Wait(ctx, watchEvery) // if ctx has ended, the follower says so
		}
	}
}

// watcher has the job that Watch and its follower share.
type watcher struct {
	mu      sync.Mutex
	entry   *entry        // guarded by mu
	changed chan struct{} // has a value if the entry has changed
}

func (w *watcher) see(b *book, r *journal.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(b.add(r)) == 0 {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *watcher) progress() Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.entry.progress()
}
