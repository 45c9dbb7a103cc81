package drill

import (
	"context"
	"time"
)

// Look is how often a run looks whether something has happened.
const Look = 50 * time.Millisecond

// patience limits connecting and stopping, each of which should take a moment. comeback limits how
// long a broker that was killed may take until it answers.
const (
	patience = 15 * time.Second
	comeback = time.Minute
)

// Every calls f at each Look until it says that it is done.
func Every(ctx context.Context, f func() (done bool, err error)) error {
	for {
		if done, err := f(); done || err != nil {
			return err
		}
		if err := Pause(ctx, Look); err != nil {
			return err
		}
	}
}

// Pause ends early with ctx, and returns its cause then.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stillness says for how long nothing has changed.
type Stillness struct {
	last string
	from time.Time
}

// Since takes what is so now, and says for how long it has been so.
func (s *Stillness) Since(now string) time.Duration {
	if now != s.last || s.from.IsZero() {
		s.last, s.from = now, time.Now()
	}
	return time.Since(s.from)
}
