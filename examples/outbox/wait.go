package main

import (
	"context"
	"fmt"
	"time"
)

// look is how often a run looks whether it is done, and enough how long nothing may change until it
// gives up. The longest pause is that of SQLite's relay when it was killed: 20 s.
const (
	look   = 50 * time.Millisecond
	enough = time.Minute
)

// settle waits until each accepted order has its mail and the queues are empty, and stops the
// processes. A message may be in hands that nobody sees, so only when all have stopped it is known
// that the queues are empty; if they are not, the processes go on. It gives up when nothing changes
// any more. Then the account says what is missing.
func (s *session) settle(ctx context.Context, fleet *Fleet, run string) error {
	for {
		gaveUp, err := s.finished(ctx, fleet, run)
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

// finished waits until the queues look empty and no accepted order lacks its mail.
func (s *session) finished(ctx context.Context, fleet *Fleet, run string) (gaveUp bool, err error) {
	last, since := "", time.Now()
	err = every(ctx, func() (bool, error) {
		select {
		case err := <-fleet.Failed():
			return false, err
		default:
		}
		state, err := s.queues.Look(ctx)
		if err != nil {
			return false, err
		}
		done, err := mailed(ctx, s.db, run)
		if err != nil {
			return false, err
		}
		counts := s.tally.Counts()
		open := counts.answered(Accepted) - done
		if now := fmt.Sprint(counts, open); now != last {
			last, since = now, time.Now()
		}
		gaveUp = time.Since(since) > enough
		return gaveUp || state.Waiting == 0 && open <= state.Parked, nil
	})
	return gaveUp, err
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
