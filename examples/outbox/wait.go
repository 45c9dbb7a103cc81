package main

import (
	"context"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// enough is how long nothing may change until a run gives up. The longest pause is that of SQLite's
// relay when it was killed: 20 s.
const enough = time.Minute

// settle waits until each accepted order has its mail and the queues are empty. It gives up when
// nothing changes any more. Then the account says what is missing.
func (s *session) settle(ctx context.Context, fleet *drill.Fleet, run string) error {
	return drill.Settle(ctx, fleet, s.queues, func(ctx context.Context) (bool, error) { return s.finished(ctx, fleet, run) })
}

// finished waits until the queues look empty and no accepted order lacks its mail.
func (s *session) finished(ctx context.Context, fleet *drill.Fleet, run string) (gaveUp bool, err error) {
	still := drill.Stillness{}
	err = drill.Every(ctx, func() (bool, error) {
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
		gaveUp = still.Since(fmt.Sprint(counts, open)) > enough
		return gaveUp || state.Waiting == 0 && open <= state.Parked, nil
	})
	return gaveUp, err
}
