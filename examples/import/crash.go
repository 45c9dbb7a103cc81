package main

import (
	"context"
	"fmt"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/examples/import/api"
)

// Crash is a middleware that panics at the worst moment: the handler's work is done and the message
// is not acked. It shows why handlers must be idempotent.
func Crash(rate float64, seed uint64) consumer.Middleware {
	return func(next consumer.Handler) consumer.Handler {
		return func(ctx context.Context, d consumer.Delivery) consumer.Result {
			result := next(ctx, d)
			if result.Acked() && api.Chance(seed, "crash", d.MessageID, d.Attempt) < rate {
				panic(fmt.Sprintf("%s: crashed after its work", d.MessageID))
			}
			return result
		}
	}
}
