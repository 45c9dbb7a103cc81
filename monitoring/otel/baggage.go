package otel

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
)

// withBaggage gives ctx the baggage of another context, if that has any.
func withBaggage(ctx, other context.Context) context.Context {
	if b := baggage.FromContext(other); b.Len() > 0 {
		return baggage.ContextWithBaggage(ctx, b)
	}
	return ctx
}
