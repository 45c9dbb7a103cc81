package main

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// The whole story without sockets. The importer is killed in the middle of the work, and the next
// one goes on.
func TestTheMigrationRunsWholeInMemoryInBelowASecond(t *testing.T) {
	amqptest.BelowASecond(t, func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) { whole(t, b, "migration") })
	})
}

func TestTheMigrationRunsWholeOnARealBroker(t *testing.T) {
	amqptest.Long(t) // TestEveryRecordIsAccountedForWhenBothProgramsAreKilled has a real broker too
	t.Parallel()
	queue := amqptest.Queue(t, "migration", "-retry-200ms", "-retry-500ms")
	brokertest.RunReal(t, amqptest.URL(t), func(t *testing.T, b *brokertest.Broker) { whole(t, b, queue) })
}

func whole(t *testing.T, b *brokertest.Broker, queue string) {
	o := made(t, "", queue, 300, 10_000, 1)
	withDots, without := odd(mustRead(t, o))

	doomed := b.Process("the first importer")
	end := started(t, o, doomed.Option())
	if err := export(t.Context(), o, b.Publisher(), io.Discard); err != nil {
		t.Fatal(err)
	}
	b.Until(time.Minute, "some are imported", func() bool { return len(mustImported(t, o)) >= 50 })
	doomed.Kill()
	end()
	end = started(t, o, b.Option())
	b.Settle(time.Minute)
	wantAccount(t, b, o, Account{Total: 300, Published: 300, Imported: 300 - withDots - without, Parked: withDots + without})
	end()

	o.Fixed = true
	started(t, o, b.Option())
	b.Redrive(queue)
	b.Settle(time.Minute)
	wantAccount(t, b, o, Account{Total: 300, Published: 300, Imported: 300 - without, Parked: without})
}

// wantAccount is about ids: what the killed importer had in hand may be parked twice.
func wantAccount(t *testing.T, b *brokertest.Broker, o Options, want Account) {
	t.Helper()
	f := Facts{Old: mustRead(t, o), Parked: map[string]string{}, Imported: mustImported(t, o)}
	for _, m := range b.Parked(o.Queue) {
		f.Parked[m.ID] = m.Error
	}
	var err error
	if f.Position, err = readPosition(positionFile(o)); err != nil {
		t.Fatal(err)
	}
	if a := account(f); !a.Complete() || a.String() != want.String() {
		t.Errorf("%s; want %s; %q", a, want, a.Wrong)
	}
}

// started is an importer. The result ends it, and may be called twice.
func started(t *testing.T, o Options, option fx.Option) (end func()) {
	t.Helper()
	app := fx.New(importer(o, connection.Config{}, &Tally{}, slog.New(slog.DiscardHandler)), option)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := app.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	return end
}

func mustImported(t *testing.T, o Options) map[string][]Row {
	t.Helper()
	rows, err := imported(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
