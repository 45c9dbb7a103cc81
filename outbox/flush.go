package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Flushed is what Flush has done.
type Flushed struct {
	Published int // rows that were confirmed
	Refused   int // publishes that were refused: the row backs off, or its state is Failed
}

// Flush publishes all rows that are due, once, and returns when each has an answer. It needs no
// Relay: it is for tests and tools. The relays of the same database share the work with it; on
// SQLite it is an error if one of them has the lease. Rows that are put meanwhile may be published
// too. Of the Publisher's methods PublishAsync is used.
//
// A row that is refused is no error: it backs off as with the zero RelayConfig. If ctx ends first,
// or messages are not confirmed, the error says so, and what is not confirmed is still in the
// outbox.
func (b *Box) Flush(ctx context.Context, pub publisher.Publisher) (Flushed, error) {
	var f Flushed
	if pub == nil {
		return f, errors.New("outbox: flush: the publisher is nil")
	}
	if err := b.lookFor(ctx, tx.Of(b.db), flushing); err != nil {
		return f, fmt.Errorf("outbox: flush: %w", err)
	}
	store := b.store(DefaultBatch)
	err := b.flush(ctx, store, pub, &f)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxSettle)
	defer cancel()
	if err = errors.Join(err, store.stop(end)); err != nil {
		return f, fmt.Errorf("outbox: flush: %w", err)
	}
	return f, nil
}

func (b *Box) flush(ctx context.Context, store store, pub publisher.Publisher, f *Flushed) error {
	press := press{pub: pub, maxAttempts: DefaultMaxAttempts, backoff: doubling}
	var at scan
	keys := DefaultBatch
	for now := true; now; {
		h, err := store.take(ctx, ask{at, followers(DefaultBatch, keys)})
		if err != nil {
			return err
		}
		if h.seen.busy {
			return errors.New("a relay is publishing the rows of this database already")
		}
		at, now = at.next(h.seen, DefaultBatch)
		keys = len(h.byKey)
		if h.seen.rows == 0 {
			h.settler.drop()
			continue
		}
		if err := flushOne(ctx, press, h, f); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func flushOne(ctx context.Context, press press, h *haul, f *Flushed) error {
	within, cancel := h.publishing(ctx)
	defer cancel()
	unclear := press.publish(within, nil, h.chains)
	r := h.results()
	if err := h.settler.settle(ctx, r); err != nil {
		return err
	}
	f.Published += r.confirmed()
	for _, rows := range r.others {
		f.Refused += len(rows)
	}
	return unclear
}
