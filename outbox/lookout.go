package outbox

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

const (
	lookEvery = 5 * time.Second
	lookWait  = 5 * time.Second // for the database to answer
)

// sight is what was seen of an outbox.
type sight struct {
	oldest time.Duration
	failed int
	err    error
}

// judge says what is wrong, and what somebody should know. late is how long a row may wait.
func (s sight) judge(late time.Duration) (warning string, err error) {
	switch {
	case s.err != nil:
		return "", fmt.Errorf("the database does not answer: %w", s.err)
	case s.oldest > late:
		err = fmt.Errorf("a row that is due has waited for %s, want %s at most", s.oldest.Round(time.Second), late)
	}
	switch {
	case s.failed >= 1000:
		warning = "1000 rows or more have failed"
	case s.failed > 0:
		warning = fmt.Sprintf("%d rows have failed", s.failed)
	}
	return warning, err
}

// lookout looks at an outbox for package health, whose probes wait for no database.
type lookout struct {
	box *Box // immutable

	seen atomic.Pointer[sight] // written by its goroutine
}

func (l *lookout) run(ctx context.Context) {
	for more := true; more; more = backoff.Wait(ctx, lookEvery) {
		if s := l.look(ctx); ctx.Err() == nil {
			l.seen.Store(&s)
		}
	}
}

func (l *lookout) look(ctx context.Context) (s sight) {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	if s.oldest, s.err = l.box.oldest(ctx); s.err == nil {
		s.failed, s.err = l.box.failedRows(ctx)
	}
	return s
}

// Health says what is wrong with the outbox: that a row which is due has waited for longer than
// RelayConfig.Late, or that the database does not answer. The warning says that rows have failed.
// It tells what the relay has seen within the last 10 s, and waits for nothing.
func (r *Relay) Health() (warning string, err error) {
	if s := r.lookout.seen.Load(); s != nil {
		return s.judge(r.cfg.Late)
	}
	return "", nil // not started yet
}
