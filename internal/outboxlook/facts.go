package outboxlook

import (
	"context"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// Facts are what a doctor wants to know of an outbox. They are of one moment, nearly.
type Facts struct {
	Shown   string // the database, for people
	Dialect outbox.Dialect
	Tables  error // why the tables cannot be used; then nothing below is known

	Stats   outbox.Stats
	Free    time.Duration // how long the oldest row has been due that nothing holds
	Failed  []Failed
	Waits   []Wait
	Targets map[Target]int // rows that are to be published
	Apart   time.Duration  // how much later the database's clock is than this machine's
	Vacuum  *Vacuum        // nil for SQLite
}

// Bounds of what is asked.
const (
	mostFailed  = 1000
	mostWaits   = 100
	mostTargets = 200
)

// Look collects the facts. shown is the database, for people.
func (l Looker) Look(ctx context.Context, box *outbox.Box, shown string) (f Facts, err error) {
	f.Shown, f.Dialect = shown, l.Dialect
	if f.Apart, err = l.Apart(ctx); err != nil {
		return f, err
	}
	if f.Tables = box.Check(ctx); f.Tables != nil {
		return f, nil //nolint:nilerr // it is one of the facts
	}
	if f.Stats, err = box.Stats(ctx); err != nil {
		return f, err
	}
	if f.Free, err = l.Free(ctx); err != nil {
		return f, err
	}
	if f.Failed, err = l.Failed(ctx, mostFailed); err != nil {
		return f, err
	}
	if f.Waits, err = l.Waits(ctx, mostWaits); err != nil {
		return f, err
	}
	if f.Targets, err = l.Targets(ctx, mostTargets); err != nil {
		return f, err
	}
	f.Vacuum, err = l.Vacuum(ctx)
	return f, err
}
