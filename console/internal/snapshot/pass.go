package snapshot

import (
	"context"
	"log/slog"
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
