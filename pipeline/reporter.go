package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
)

const (
	maxReports = 64        // in one record
	maxRecord  = 900 << 10 // bytes of the reports in one record, about
	maxWriters = 2         // records of one process that are not confirmed
	// patience is how long a record may take to be confirmed.
	patience = 30 * time.Second
)

// reporter writes the reports of a process: those that wait share a record. Its goroutines run
// while reports wait; stop waits for them.
type reporter struct {
	write  func(context.Context, record) error // immutable; returns when the record is confirmed
	ctx    context.Context                     // immutable, and so is cancel; of the writes
	cancel context.CancelFunc

	mu      sync.Mutex
	waiting []*finished // guarded by mu, and so are the fields below
	writing int         // goroutines
	stopped bool
	backoff backoff.Backoff // of messages that cannot be reported
	writers sync.WaitGroup
}

// finished is a node that waits for the confirm of its report.
type finished struct {
	report jobtree.Report
	done   chan struct{} // closed when err is set
	err    error
}

func newReporter(write func(context.Context, record) error) *reporter {
	ctx, cancel := context.WithCancel(context.Background())
	return &reporter{write: write, ctx: ctx, cancel: cancel, backoff: backoff.Backoff{Min: shortestPause, Max: longestPause}}
}

// report returns when the report is confirmed. If ctx ends first it may be written all the same.
func (r *reporter) report(ctx context.Context, report jobtree.Report) error {
	f := &finished{report: report, done: make(chan struct{})}
	if err := r.enter(f); err != nil {
		return err
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("pipeline: report %s of job %s: %w", report.Path, report.Job, context.Cause(ctx))
	}
}

// enter has the report written. With fewer than maxWriters a goroutine begins at once; else the
// next one that is free takes what has come by then.
func (r *reporter) enter(f *finished) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return ErrStopped
	}
	r.waiting = append(r.waiting, f)
	if r.writing < maxWriters {
		r.writing++
		r.writers.Go(r.run)
	}
	return nil
}

// run writes until none waits.
func (r *reporter) run() {
	for {
		batch := r.take()
		if len(batch) == 0 {
			return
		}
		err := r.writeAll(batch)
		for _, f := range batch {
			f.err = err
			close(f.done)
		}
	}
}

// take takes the reports of one record. If there is none the goroutine is to end.
func (r *reporter) take() []*finished {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, size := 0, 0
	for n < min(len(r.waiting), maxReports) {
		if size += sizeOf(&r.waiting[n].report); size > maxRecord && n > 0 {
			break
		}
		n++
	}
	if n == 0 {
		r.writing--
		return nil
	}
	batch := r.waiting[:n:n]
	r.waiting = r.waiting[n:]
	return batch
}

// sizeOf is about what a report takes in a record.
func sizeOf(r *jobtree.Report) int {
	const rest = 200 // names of fields, the numbers, and a queue's name
	return rest + len(r.Job) + len(r.Path) + len(r.Stage) + len(r.Keys)*4/3
}

func (r *reporter) writeAll(batch []*finished) error {
	all := make([]jobtree.Report, len(batch))
	for i, f := range batch {
		all[i] = f.report
	}
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	err := r.write(ctx, record{Kind: kindDone, Done: all})
	if err == nil {
		r.mu.Lock()
		r.backoff.Reset()
		r.mu.Unlock()
	}
	return err
}

// pause is how long a message waits that cannot be reported: longer when others could not either.
func (r *reporter) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(shortestPause, r.backoff.Next())
}

// stop takes no more reports, and waits for those that wait, until ctx ends.
func (r *reporter) stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	defer context.AfterFunc(ctx, r.cancel)()
	r.writers.Wait()
	cut := r.ctx.Err() != nil
	r.cancel()
	if cut && ctx.Err() != nil {
		return fmt.Errorf("pipeline: reports may not be confirmed: %w", context.Cause(ctx))
	}
	return nil
}
