package outbox

import (
	"context"
	"errors"

	"github.com/bunnicula-go/bunnicula/consumer"
)

// Restore is middleware that gives the handler the context of Config.Restore. If that returns nil,
// or is nil, the handler has its own context. A nil Box panics when consumer.New calls the
// middleware; that is an error of New.
func (b *Box) Restore(next consumer.Handler) consumer.Handler {
	if b == nil {
		panic(errors.New("outbox: the Box of Restore is nil"))
	}
	if next == nil || b.cfg.Restore == nil {
		return next
	}
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		if restored := b.cfg.Restore(ctx, d.Headers); restored != nil {
			ctx = restored
		}
		return next(ctx, d)
	}
}
