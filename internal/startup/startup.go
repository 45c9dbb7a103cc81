// Package startup has what the start hooks of several modules share.
package startup

import (
	"context"
	"time"
)

// Earlier returns a context that ends before ctx: by a fifth of the time that is left, at most a
// second. When a start's context has ended, fx reports just that. A hook that gives up earlier can
// still report why.
func Earlier(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/5, time.Second)))
}
