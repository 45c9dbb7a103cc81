package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/journal"
)

// Notifier calls Config.Completed once for each job that is complete. It reads the stream from its
// first record on, so a job that was completed while no process ran is told at the next start. When
// Completed has returned nil, a record on the stream says so, and no Notifier tells the job again.
//
// A job is told twice if the process dies between the call and the record, and by several processes
// that tell at the same time. So Completed should be idempotent by Progress.Job, as a handler is.
// An error of it, or a panic, has it called again after 1 s to 1 min; other jobs are told
// meanwhile. A job whose report comes late is not told again.
type Notifier struct {
	pipeline *Pipeline // immutable

	mu   sync.Mutex
	stop context.CancelFunc // guarded by mu; nil before Start and after Stop
	ran  bool               // guarded by mu; Start was called
	all  sync.WaitGroup     // of goroutines; Stop waits for them

	news *news // immutable; the reader adds to it, the teller takes from it
}

// NewNotifier makes a Notifier. The error says that Config.Completed is nil.
func NewNotifier(p *Pipeline) (*Notifier, error) {
	switch {
	case p == nil:
		return nil, errors.New("pipeline: the Pipeline of a Notifier is nil")
	case p.cfg.Completed == nil:
		return nil, errors.New("pipeline: a Notifier needs Config.Completed")
	}
	return &Notifier{pipeline: p, news: newNews()}, nil
}

// Start begins to read, and waits for nothing. What keeps it from reading is in the log. A second
// Start does nothing.
func (n *Notifier) Start(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ran {
		return nil
	}
	n.ran = true
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.all.Go(func() { n.read(ctx) })
	n.all.Go(func() { n.tell(ctx) })
	return nil
}

// Stop cancels the context of a Completed that runs, and waits for it. It may be called twice, and
// before Start.
func (n *Notifier) Stop(ctx context.Context) error {
	n.mu.Lock()
	stop := n.stop
	n.ran, n.stop = true, nil
	n.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	done := make(chan struct{})
	go func() { // ends with Completed
		n.all.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// read reads the stream, from its first record on, whenever that is possible.
func (n *Notifier) read(ctx context.Context) {
	pause := backoff.Backoff{Min: time.Second, Max: time.Minute}
	for ctx.Err() == nil {
		n.news.reset()
		err := n.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		n.pipeline.cfg.Logger.WarnContext(ctx, "completed jobs cannot be told", "pipeline", n.pipeline.cfg.Name, "err", err)
		backoff.Wait(ctx, pause.Next())
	}
}

// follow folds the stream, and follows it then.
func (n *Notifier) follow(ctx context.Context) error {
	see := func(r journal.Record) error { n.news.see(&r); return nil }
	next, err := n.pipeline.journal.Fold(ctx, see)
	if err != nil {
		return err
	}
	n.news.folded()
	return n.pipeline.journal.Follow(ctx, next, see)
}

// tell tells one complete job after the other.
func (n *Notifier) tell(ctx context.Context) {
	look := time.NewTicker(time.Second) // for those that are due again
	defer look.Stop()
	for {
		select {
		case <-n.news.changed:
		case <-look.C:
		case <-ctx.Done():
			return
		}
		for _, p := range n.news.due(time.Now(), n.pipeline.cfg.MaxAge) {
			if ctx.Err() != nil {
				return
			}
			n.tellOne(ctx, p)
		}
	}
}

func (n *Notifier) tellOne(ctx context.Context, p Progress) {
	log := n.pipeline.cfg.Logger
	if err := call(ctx, n.pipeline.cfg.Completed, p); err != nil {
		log.ErrorContext(ctx, "Completed failed, and is called again", "pipeline", n.pipeline.cfg.Name, "job", p.Job, "err", err)
		n.news.again(p.Job, time.Now())
		return
	}
	n.news.isTold(p.Job, time.Now())
	err := n.pipeline.write(ctx, record{Kind: kindTold, Job: p.Job, At: time.Now().UTC().Truncate(time.Millisecond)})
	if err != nil {
		log.WarnContext(ctx, "a completed job may be told twice", "pipeline", n.pipeline.cfg.Name, "job", p.Job, "err", err)
	}
}

// call calls Completed. A panic of it becomes an error, and so does runtime.Goexit: it ends a
// goroutine of its own.
func call(ctx context.Context, completed func(context.Context, Progress) error, p Progress) error {
	ended := make(chan error, 1)
	go func() {
		err := errors.New("Completed called runtime.Goexit")
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("Completed panicked: %s", foreign.Panic(v))
			}
			ended <- err
		}()
		err = completed(ctx, p)
	}()
	return <-ended
}
