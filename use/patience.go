package use

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// ErrLimit is the reason for which a message snoozes that Rate, RatePerKey, PerKey or AtMost does
// not let through yet.
var ErrLimit = errors.New("use: a limit lets it through later")

// briefest is the shortest delay that is asked for. No retry queue is much shorter, and the
// consumer would warn of a delay that becomes ten times as long.
const briefest = 250 * time.Millisecond

// snooze returns a Snooze with its reason.
func snooze(d time.Duration, why error) consumer.Result {
	return consumer.SnoozeBecause(max(d, briefest), why)
}

// await waits for a change, or until d has passed. It returns false if ctx ends before.
func await(ctx context.Context, changed <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
		return true
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
