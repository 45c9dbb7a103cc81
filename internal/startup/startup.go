// Package startup is what the start hooks of several modules share.
package startup

import (
	"context"
	"time"
)

// Earlier ends a little before ctx, by a fifth of what is left and at most a second. Once a start's context has ended fx says so and
// nothing else; who gives up earlier can say why.
func Earlier(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Until(deadline)/5, time.Second)))
}
