// Package slots has the rule of slots: how long a handler may wait, while it holds one of its
// consumer's slots.
package slots

import (
	"context"
	"time"
)

// Longest is how long a handler waits at most, whatever its timeout.
const Longest = 5 * time.Second

// Patience returns how long a handler with this context may wait.
func Patience(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return Longest
	}
	return max(0, min(Longest, time.Until(deadline)/4))
}
