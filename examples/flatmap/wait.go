package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// look is how often a run looks whether it is done, and enough how long nothing may change until it
// gives up.
const (
	look   = 100 * time.Millisecond
	enough = time.Minute
)

// settle waits until the job is complete, or hangs. Then it waits until the queues are empty, and
// stops the processes: a message may be left that was handled and not acked when its process died.
// It may be in hands that nobody sees, so only when all processes have stopped it is known that the
// queues are empty; if they are not, the processes go on. The account says what is missing.
func (s *session) settle(ctx context.Context, fleet *Fleet) error {
	if err := s.complete(ctx, fleet); err != nil {
		return err
	}
	for {
		gaveUp, err := s.drained(ctx, fleet)
		if err != nil || gaveUp {
			return err
		}
		fleet.Stop()
		var state State
		err = every(ctx, func() (bool, error) { // the connections of dead processes may linger
			state, err = s.queues.Look(ctx)
			return state.Consumers == 0, err
		})
		if err != nil || state.Waiting == 0 {
			return err
		}
		if err := fleet.Start(ctx); err != nil {
			return err
		}
	}
}

// complete waits until the job is complete, or nothing changes any more.
func (s *session) complete(ctx context.Context, fleet *Fleet) error {
	watch := &Watch{bank: s.bank, job: s.job, rows: s.RowsQueue(), want: s.want, db: s.db, tally: s.tally}
	ctx, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer cancel()
	watched := make(chan error, 1)
	watcher.Go(func() { watched <- watch.Follow(ctx) })
	still := stillness{}
	for {
		select {
		case err := <-watched:
			return err
		case err := <-fleet.Failed():
			return err
		case <-time.After(look):
		}
		if still.since(s.tally.Counts()) > enough {
			return nil
		}
	}
}

// drained waits until the queues look empty.
func (s *session) drained(ctx context.Context, fleet *Fleet) (gaveUp bool, err error) {
	still := stillness{}
	err = every(ctx, func() (bool, error) {
		select {
		case err := <-fleet.Failed():
			return false, err
		default:
		}
		state, err := s.queues.Look(ctx)
		gaveUp = still.since(s.tally.Counts()) > enough
		return gaveUp || state.Waiting == 0, err
	})
	return gaveUp, err
}

// stillness says for how long nothing has changed.
type stillness struct {
	last string
	from time.Time
}

func (s *stillness) since(c Counts) time.Duration {
	c.Memory, c.Looks = 0, 0
	if now := fmt.Sprint(c); now != s.last {
		s.last, s.from = now, time.Now()
	}
	return time.Since(s.from)
}

// every calls f at each interval until it says that it is done.
func every(ctx context.Context, f func() (done bool, err error)) error {
	for {
		if done, err := f(); done || err != nil {
			return err
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}

// pause ends early with ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
