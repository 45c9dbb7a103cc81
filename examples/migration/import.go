package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// patience limits starting and stopping, each of which should take a moment.
const patience = 15 * time.Second

// importer is the app. It runs until it is stopped: only the export knows how many records there
// are.
func importer(o Options, cfg connection.Config, tally *Tally, log *slog.Logger) fx.Option {
	return fx.Options(
		connection.Module, consumer.Module,
		fx.Supply(o, cfg, log),
		fx.Provide(NewStore),
		consumer.Provide(Import),
		monitoring.Provide(func() monitoring.Monitor { return tally }),
		fx.StopTimeout(patience),
		fx.NopLogger,
	)
}

// Import writes each customer into the new system, once for each id.
func Import(o Options, s *Store) consumer.Spec {
	return consumer.Spec{
		Queue:      o.Queue,
		MaxRetries: len(retries),
		Backoff:    retries,
		Timeout:    patience / 2,
		Handler: consumer.JSON(outbox.Once(s.Box, func(ctx context.Context, tx *sql.Tx, m consumer.Message[Customer]) consumer.Result {
			day, err := birthday(m.Payload.Birthday, o.Fixed)
			if err == nil {
				err = add(ctx, tx, Row{m.MessageID, m.Payload.Name, m.Payload.Email, day})
			}
			if err != nil {
				return consumer.Retry(fmt.Errorf("%s: %w", m.MessageID, err))
			}
			return consumer.Ack()
		})),
	}
}

// Tally counts what this process did.
type Tally struct {
	mu                  sync.Mutex
	acked, again, aside int
}

// Begin implements monitoring.Monitor.
func (t *Tally) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

// End implements monitoring.Monitor.
func (t *Tally) End(_ context.Context, _ monitoring.Delivery, o monitoring.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o.Action {
	case monitoring.Acked:
		t.acked++
	case monitoring.Retried:
		t.again++
	case monitoring.Parked:
		t.aside++
	}
}

func (t *Tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("this process: acked %d, retried %d, parked %d", t.acked, t.again, t.aside)
}

// tell writes the Tally every second in which it has changed, until ctx ends.
func (t *Tally) tell(ctx context.Context, out io.Writer) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := t.String(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := t.String(); now != last {
			last = now
			_, _ = fmt.Fprintln(out, now)
		}
	}
}
