package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// enough is how long nothing may change until a run gives up.
const enough = time.Minute

// settle waits until the job is complete, or hangs. Then it waits until the queues are empty: a
// message may be left that was handled and not acked when its process died. The account says what
// is missing.
func (s *session) settle(ctx context.Context, fleet *drill.Fleet) error {
	if err := s.complete(ctx, fleet); err != nil {
		return err
	}
	return drill.Settle(ctx, fleet, s.queues, func(ctx context.Context) (bool, error) { return s.drained(ctx, fleet) })
}

// complete waits until the job is complete, or nothing changes any more.
func (s *session) complete(ctx context.Context, fleet *drill.Fleet) error {
	watch := &Watch{bank: s.bank, job: s.job, rows: s.RowsQueue(), want: s.want, db: s.db, tally: s.tally}
	ctx, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer cancel()
	watched := make(chan error, 1)
	watcher.Go(func() { watched <- watch.Follow(ctx) })
	still := drill.Stillness{}
	for {
		select {
		case err := <-watched:
			return err
		case err := <-fleet.Failed():
			return err
		case <-time.After(drill.Look):
		}
		if still.Since(s.tally.Counts().changing()) > enough {
			return nil
		}
	}
}

// drained waits until the queues look empty.
func (s *session) drained(ctx context.Context, fleet *drill.Fleet) (gaveUp bool, err error) {
	still := drill.Stillness{}
	err = drill.Every(ctx, func() (bool, error) {
		select {
		case err := <-fleet.Failed():
			return false, err
		default:
		}
		state, err := s.queues.Look(ctx)
		gaveUp = still.Since(s.tally.Counts().changing()) > enough
		return gaveUp || state.Waiting == 0, err
	})
	return gaveUp, err
}

// changing is what changes only when something happens.
func (c Counts) changing() string {
	c.Memory, c.Looks = 0, 0
	return fmt.Sprint(c)
}
